//! Upstream's flags that change nothing here: each is accepted, and one line of the log says why it has
//! no effect when it is given.

use super::args::switch;
use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, builder::ValueParser,
    parser::ValueSource,
};

/// A flag without effect.
struct Flag {
    name: &'static str,
    shape: Shape,
    /// Upstream's default, for the help.
    default: &'static str,
    why: &'static str,
}

/// What may be given to a flag.
#[derive(Clone, Copy)]
enum Shape {
    Number,
    Switch,
    Text,
    /// A text that may be given more than once.
    Texts,
}

const ONE_POOL: &str = "one pool does all work; --rollout-threads sets its size";
const NO_ROUTER: &str = "the version of such objects is not configurable";
const NO_AWS: &str = "AWS is asked nothing";

/// Every such flag, in the order of upstream's help.
const FLAGS: [Flag; 24] = [
    number(
        "rollout-resync",
        "900",
        "nothing is polled; what waits for a time has a wake-up of its own",
    ),
    number("kloglevel", "0", "there is no klog; RUST_LOG=kube=debug shows what the client does"),
    number("experiment-threads", "10", ONE_POOL),
    number("analysis-threads", "30", ONE_POOL),
    number("service-threads", "10", ONE_POOL),
    number("ingress-threads", "10", ONE_POOL),
    number("ephemeral-metadata-threads", "10", ONE_POOL),
    number(
        "ephemeral-metadata-update-pod-retries",
        "3",
        "a write that meets a conflict is planned anew, as often as it takes",
    ),
    text("aws-target-group-binding-api-version", "elbv2.k8s.aws/v1beta1", NO_AWS),
    text("alb-tag-key-resource-id", "ingress.k8s.aws/resource", NO_AWS),
    text("istio-api-version", "v1alpha3", NO_ROUTER),
    text("ambassador-api-version", "getambassador.io/v2", NO_ROUTER),
    text("traffic-split-api-version", "v1alpha1", NO_ROUTER),
    text("traefik-api-group", "traefik.io", NO_ROUTER),
    text("traefik-api-version", "traefik.io/v1alpha1", NO_ROUTER),
    text("ingress-api-version", "", "Ingresses are those of networking.k8s.io/v1"),
    text("appmesh-crd-version", "v1beta2", NO_ROUTER),
    texts("alb-ingress-classes", "alb", ANY_CLASS),
    texts("nginx-ingress-classes", "nginx", ANY_CLASS),
    switched("alb-verify-weight", NO_AWS),
    switched("aws-verify-target-group", NO_AWS),
    switched("self-service-notification-enabled", "notifications are not sent"),
    text("enable-pprof-address", "", "there is no Go profiler; the metrics say what is slow"),
    switched("disable-compression", "answers of the API server are never compressed"),
];

const ANY_CLASS: &str =
    "every change of an Ingress that a rollout names is heeded, whatever its class";

const fn number(name: &'static str, default: &'static str, why: &'static str) -> Flag {
    Flag { name, shape: Shape::Number, default, why }
}

const fn text(name: &'static str, default: &'static str, why: &'static str) -> Flag {
    Flag { name, shape: Shape::Text, default, why }
}

const fn texts(name: &'static str, default: &'static str, why: &'static str) -> Flag {
    Flag { name, shape: Shape::Texts, default, why }
}

const fn switched(name: &'static str, why: &'static str) -> Flag {
    Flag { name, shape: Shape::Switch, default: "false", why }
}

/// The flags without effect that were given.
#[derive(Debug, Default)]
pub(crate) struct UnheededArguments {
    given: Vec<(&'static str, &'static str)>,
}

impl UnheededArguments {
    /// One sentence for each flag that was given.
    pub(super) fn remarks(&self) -> Vec<String> {
        let remark = |(name, why): &(&str, &str)| format!("--{name} has no effect: {why}");
        self.given.iter().map(remark).collect()
    }
}

impl FromArgMatches for UnheededArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let was_given =
            |flag: &&Flag| matches.value_source(flag.name) == Some(ValueSource::CommandLine);
        let given = FLAGS.iter().filter(was_given).map(|flag| (flag.name, flag.why)).collect();
        Ok(Self { given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for UnheededArguments {
    fn augment_args(command: Command) -> Command {
        command.args(FLAGS.iter().map(Flag::arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl Flag {
    fn arg(&self) -> Arg {
        let default = if self.default.is_empty() { "none" } else { self.default };
        let help = format!("No effect: {} [upstream's default: {default}]", self.why);
        let arg = Arg::new(self.name).long(self.name).action(ArgAction::Set);
        let arg = arg.help(help).help_heading("Accepted without effect");
        match self.shape {
            Shape::Number => arg.value_name("NUMBER").value_parser(clap::value_parser!(i64)),
            Shape::Text => arg.value_name("TEXT"),
            Shape::Texts => arg.value_name("TEXT").action(ArgAction::Append),
            Shape::Switch => arg
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_name("BOOL")
                .value_parser(ValueParser::new(switch)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remarks(given: &[&str]) -> Result<Vec<String>, Error> {
        let command = UnheededArguments::augment_args(Command::new("controller"));
        let matches = command.try_get_matches_from(["controller"].iter().chain(given))?;
        UnheededArguments::from_arg_matches(&matches).map(|arguments| arguments.remarks())
    }

    #[test]
    fn a_flag_is_spoken_of_when_it_is_given_and_only_then() {
        assert_eq!(remarks(&[]).unwrap(), Vec::<String>::new());
        let given =
            ["--alb-verify-weight", "--nginx-ingress-classes=a", "--nginx-ingress-classes=b"];
        let said = remarks(&given).unwrap();
        assert_eq!(said.len(), 2);
        assert!(said[0].starts_with("--nginx-ingress-classes has no effect: every change"));
    }

    #[test]
    fn what_upstream_would_not_take_is_refused() {
        assert!(remarks(&["--analysis-threads=many"]).is_err());
        assert!(remarks(&["--aws-verify-target-group=perhaps"]).is_err());
    }

    #[test]
    fn every_flag_takes_its_own_default() {
        for flag in FLAGS.iter().filter(|flag| !flag.default.is_empty()) {
            let given = format!("--{}={}", flag.name, flag.default);
            assert_eq!(remarks(&[&given]).unwrap().len(), 1, "{given}");
        }
    }
}
