//! `CloudWatch`: signed questions, with keys of the environment or of a web identity.

use crate::support::{Expected, Stage, body, check_outcome, check_problem, header, play, reply};
use providers::{MeasuredValue, Source};
use serde_json::{Value, json};

fn config() -> Value {
    json!({"interval": "30m", "metricDataQueries": [
        {"id": "rate", "expression": "errors / requests"},
        {"id": "errors", "returnData": false, "metricStat": {
            "metric": {"namespace": "app", "metricName": "errors",
                "dimensions": [{"name": "shop", "value": "{{args.name}}"}]},
            "period": "300", "stat": "Average", "unit": "None"}},
    ]})
}

#[track_caller]
fn check(answer: &Value, expected: Expected<'_>) {
    check_outcome(play("cloudWatch", &config(), &[reply(200, &answer.to_string())]).1, expected);
}

#[test]
fn cloud_watch_is_asked_with_a_signature() {
    let (call, _) = Stage::new("cloudWatch", &config()).first_call();
    assert_eq!((call.method.as_str(), call.timeout.as_secs()), ("POST", 30));
    assert_eq!(call.url, "https://monitoring.eu-west-1.amazonaws.com/");
    assert_eq!(header(&call, "Content-Type"), Some("application/x-amz-json-1.0"));
    let target = "GraniteServiceVersion20100801.GetMetricData";
    assert_eq!(header(&call, "X-Amz-Target"), Some(target));
    let proof = header(&call, "Authorization").unwrap();
    let begins = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE-s3cr3t/20231114/eu-west-1/monitoring/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=";
    assert!(proof.starts_with(begins), "{proof}");
    let metric = json!({"Dimensions": [{"Name": "shop", "Value": "{{args.name}}"}],
        "MetricName": "errors", "Namespace": "app"});
    let statistic = json!({"Metric": metric, "Period": 300, "Stat": "Average", "Unit": "None"});
    let expected = json!({"StartTime": 1_699_998_200, "EndTime": 1_700_000_000, "MetricDataQueries": [
        {"Id": "rate", "Expression": "errors / requests"},
        {"Id": "errors", "MetricStat": statistic, "ReturnData": false},
    ]});
    assert_eq!(serde_json::from_str::<Value>(&body(&call)).unwrap(), expected);
}

#[test]
fn cloud_watchs_results_keep_their_names() {
    let found = json!([
        {"Id": "rate", "Label": "l", "StatusCode": "Complete", "Timestamps": [1_700_000_000.0],
            "Values": [0.000_000_4, 1_000_000]},
        {"Id": "errors", "Values": []},
    ]);
    let expected = json!([
        {"Id": "rate", "Label": "l", "Messages": null, "StatusCode": "Complete",
            "Timestamps": ["2023-11-14T22:13:20Z"], "Values": [0.000_000_4, 1_000_000.0]},
        {"Id": "errors", "Label": null, "Messages": null, "StatusCode": null, "Timestamps": [],
            "Values": []},
    ]);
    let answer = json!({"MetricDataResults": found, "Messages": [{"Code": "c", "Value": "v"}]});
    check(&answer, Ok(("[[4e-07 1e+06] []]", MeasuredValue::Json(expected))));
    let (_, outcome) = play("cloudWatch", &config(), &[reply(200, &answer.to_string())]);
    assert_eq!(outcome.unwrap().metadata["messages"], "[{Code:c Value:v}]");
    check(&json!({"MetricDataResults": []}), Ok(("[]", MeasuredValue::Json(json!([])))));
    check(&json!({}), Err("the answer holds no results"));
    check(&json!({"MetricDataResults": [{"Values": ["x"]}]}), Err("malformed: "));
}

fn identity() -> Vec<(Source, &'static str)> {
    vec![
        (Source::Variable("AWS_REGION"), "cn-north-1"),
        (Source::Variable("AWS_ROLE_ARN"), "arn:aws-cn:iam::1:role/r"),
        (Source::FileOf("AWS_WEB_IDENTITY_TOKEN_FILE"), "web.s3cr3t"),
    ]
}

#[test]
fn a_web_identity_is_exchanged_for_keys() {
    let granted = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
        <AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>tmp-s3cr3t</SecretAccessKey>\
        <SessionToken>tok-s3cr3t</SessionToken></Credentials>\
        </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
    let mut stage = Stage::new("cloudWatch", &config()).with(&identity());
    let mismatch = json!({"__type": "com.amazon#SignatureDoesNotMatch",
        "message": "The signature does not match.\n\nx-amz-security-token:tok-s3cr3t"});
    let answers = [reply(200, granted), reply(403, &mismatch.to_string())];
    let (calls, outcome) = stage.play(&answers);
    assert_eq!(calls[0].url, "https://sts.cn-north-1.amazonaws.com.cn/");
    let sent = "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws-cn%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=argo-rollouts&Version=2011-06-15&WebIdentityToken=web.s3cr3t";
    assert_eq!((body(&calls[0]).as_str(), header(&calls[0], "Authorization")), (sent, None));
    assert_eq!(calls[1].url, "https://monitoring.cn-north-1.amazonaws.com.cn/");
    assert_eq!(header(&calls[1], "X-Amz-Security-Token"), Some("tok-s3cr3t"));
    let expected = "operation error CloudWatch: GetMetricData, https response error StatusCode: 403, RequestID: , api error SignatureDoesNotMatch: The signature does not match.";
    assert_eq!(outcome.unwrap_err(), expected);
    assert!(!format!("{calls:?}").contains("s3cr3t"));
}

#[test]
fn a_pod_identity_is_exchanged_for_keys() {
    let sources = [
        (Source::Variable("AWS_REGION"), "eu-west-1"),
        (
            Source::Variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
            "http://169.254.170.23/v1/credentials",
        ),
        (Source::FileOf("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"), "pod.s3cr3t"),
    ];
    let granted = json!({"AccessKeyId": "ASIA", "SecretAccessKey": "k", "Token": "t"}).to_string();
    let mut stage = Stage::new("cloudWatch", &config()).with(&sources);
    let (calls, _) = stage.play(&[reply(200, &granted), reply(500, "")]);
    assert_eq!((calls[0].method.as_str(), &calls[0].body), ("GET", &None));
    assert_eq!(calls[0].url, "http://169.254.170.23/v1/credentials");
    assert_eq!(header(&calls[0], "Authorization"), Some("pod.s3cr3t"));
    assert_eq!(header(&calls[1], "X-Amz-Security-Token"), Some("t"));
    let mut stage = Stage::new("cloudWatch", &config()).with(&sources);
    let (_, outcome) = stage.play(&[reply(404, "no association")]);
    let expected = "operation error pod identity, https response error StatusCode: 404, RequestID: , api error UnknownError: UnknownError";
    assert_eq!(outcome.unwrap_err(), expected);
}

#[test]
fn what_the_token_service_refuses_is_told() {
    let check = |answer, expected: &str| {
        let mut stage = Stage::new("cloudWatch", &config()).with(&identity());
        assert_eq!(stage.play(&[answer]).1.unwrap_err(), expected);
    };
    let operation = "operation error STS: AssumeRoleWithWebIdentity";
    let expired = "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredTokenException</Code><Message>Token expired</Message></Error></ErrorResponse>";
    let told = "https response error StatusCode: 400, RequestID: , api error ExpiredTokenException: Token expired";
    check(reply(400, expired), &format!("{operation}, {told}"));
    check(reply(200, "<html>"), &format!("{operation}: the answer holds no keys"));
}

#[test]
fn cloud_watch_names_what_it_lacks() {
    let check = |sources: &[(Source, &str)], expected: &str| {
        let stage = Stage::new("cloudWatch", &config());
        assert_eq!(stage.with(sources).play(&[]).1.unwrap_err(), expected);
    };
    let region = (Source::Variable("AWS_DEFAULT_REGION"), "eu-west-1");
    check(&[], "no region of AWS: AWS_REGION is not set");
    check(
        std::slice::from_ref(&region),
        "no credentials of AWS: neither keys nor an identity is in the environment",
    );
    check(
        &[region, (Source::Variable("AWS_ROLE_ARN"), "arn")],
        "there is no file where AWS_WEB_IDENTITY_TOKEN_FILE points",
    );
    let empty = ("metricDataQueries", "cloudWatch has no metricDataQueries");
    check_problem("cloudWatch", &json!({"metricDataQueries": []}), empty);
}
