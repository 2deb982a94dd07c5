use plan::analysis_run::*;
use serde_json::json;
use vocab::*;
#[test]
fn t() {
    let run = json!({"metadata": {"name": "run", "namespace": "ns"}, "spec": {"metrics": [
        {"name": "m", "interval": "10s", "successCondition": "result[0] >= 0.95", "provider": {"prometheus": {"address": "http://prom:9090", "query": "rate"}}}]}});
    let mut o = Observed { run: serde_json::from_value(run).unwrap(), ..Observed::default() };
    let mut now = jiff::Timestamp::from_second(1000).unwrap();
    let body = br#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[0,"1"]}]}}"#;
    let mut status = None;
    let t = std::time::Instant::now();
    for _ in 0..1000 {
        let p = plan(&o, now);
        let answers = p
            .calls
            .into_iter()
            .map(|c| {
                (c, Ok(Reply { status: 200, headers: Default::default(), body: body.to_vec() }))
            })
            .collect();
        let p = absorb(&o, answers, now);
        now = p.plan.wake.unwrap();
        if status.is_none() {
            let Some(Write::Patch { body, .. }) = p.plan.status else { panic!() };
            status = Some(body["status"].clone());
            o.run.status = Some(serde_json::from_value(body["status"].clone()).unwrap());
        }
        now = jiff::Timestamp::from_second(2000).unwrap();
    }
    eprintln!("TIME {:?}", t.elapsed());
    let t = std::time::Instant::now();
    for _ in 0..1000 {
        let _ = analysis::condition::holds(
            "result[0] >= 0.95",
            &analysis::condition::Measured::Numbers(vec![1.0]),
            now,
        );
    }
    eprintln!("HOLDS {:?}", t.elapsed());
    let m = o.run.spec.metrics[0].clone();
    let t = std::time::Instant::now();
    for _ in 0..1000 {
        let _ = analysis::arguments::resolve_metric(&m, &[]);
    }
    eprintln!("RESOLVE {:?}", t.elapsed());
}
