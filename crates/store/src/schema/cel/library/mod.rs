//! What rules may call besides the standard functions: Kubernetes' own libraries.

/// Makes a type one whose values rules handle by functions alone.
macro_rules! opaque_value {
    ($name:ident, $kind:ident) => {
        impl cel::common::value::Val for $name {
            fn get_type(&self) -> &cel::common::types::Type {
                &$kind
            }

            fn cel_type() -> &'static cel::common::types::Type {
                &$kind
            }

            fn equals(&self, other: &dyn cel::common::value::Val) -> bool {
                other.downcast_ref::<Self>().is_some_and(|other| other == self)
            }

            fn clone_as_boxed<'v>(&self) -> Box<dyn cel::common::value::Val + 'v> {
                Box::new(Self::clone(self))
            }

            fn as_any(&self) -> Option<&dyn std::any::Any> {
                Some(self)
            }
        }

        impl cel::common::value::StaticVal for $name {}
    };
}

mod address;
mod format;
#[expect(
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "functions over any list have this signature"
)]
mod lists;
#[expect(clippy::trivially_copy_pass_by_ref, reason = "functions take their arguments so")]
mod quantity;
#[expect(clippy::trivially_copy_pass_by_ref, reason = "functions take their arguments so")]
mod semver;
#[expect(clippy::trivially_copy_pass_by_ref, reason = "functions take their arguments so")]
mod text;
mod url;

use std::sync::{Arc, LazyLock};

use cel::{DeclarationError, Env, ExecutionError, extensions};

/// Adds functions to those there are.
type Library = fn(&mut Env) -> Result<(), DeclarationError>;

/// The functions of rules.
pub(super) static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    let libraries: [Library; 9] = [
        extensions::strings,
        extensions::lists,
        address::extension,
        format::extension,
        lists::extension,
        quantity::extension,
        semver::extension,
        text::extension,
        url::extension,
    ];
    for library in libraries {
        // A library that clashed with another would only leave its own functions out.
        let _ = env.add_extension(library);
    }
    Arc::new(env)
});

/// An error of a function, in upstream's words.
fn failed(function: &str, why: &str) -> ExecutionError {
    ExecutionError::function_error(function, why)
}

#[cfg(test)]
mod tests {
    use super::ENVIRONMENT;
    use cel::{Context, Value};
    use std::sync::Arc;

    fn value(source: &str) -> Value {
        let program = ENVIRONMENT.compile(source).unwrap();
        let context = Context::with_env(Arc::clone(&ENVIRONMENT));
        program.execute(&context).unwrap_or_else(|error| panic!("{source}: {error}"))
    }

    #[track_caller]
    fn check(source: &str) {
        assert_eq!(value(source), Value::Bool(true), "{source}");
    }

    #[test]
    fn amounts_are_read_compared_and_added() {
        check("isQuantity('1.5Gi') && !isQuantity('lots')");
        check("quantity('2Mi').isGreaterThan(quantity('1Mi'))");
        check("quantity('500m').add(quantity('500m')).asInteger() == 1");
        check("quantity('3').sub(1).compareTo(quantity('2')) == 0");
        check("quantity('-1').sign() == -1 && !quantity('100m').isInteger()");
        check(
            "quantity('1k').asApproximateFloat() == 1000.0 && quantity('1k') == quantity('1000')",
        );
    }

    #[test]
    fn addresses_of_the_web_are_taken_apart() {
        check("isURL('https://a.example.com:8080/x?k=v#f') && isURL('/x') && !isURL('nowhere')");
        check("url('https://a.example.com:8080/x').getHost() == 'a.example.com:8080'");
        check("url('https://[::1]:8080/x').getHostname() == '::1'");
        check("url('https://a:8080/x').getPort() == '8080' && url('/x').getScheme() == ''");
        check("url('http://a/b/c?k=v').getEscapedPath() == '/b/c'");
        check("url('http://a/?k=one&k=t%20wo').getQuery()['k'] == ['one', 't wo']");
    }

    #[test]
    fn addresses_of_the_network_know_their_blocks() {
        check("isIP('192.0.2.1') && isIP('::1') && !isIP('1.2.3') && !isIP('::ffff:1.2.3.4')");
        check("ip('192.0.2.1').family() == 4 && ip('127.0.0.1').isLoopback()");
        check("ip('8.8.8.8').isGlobalUnicast() && !ip('169.254.0.1').isGlobalUnicast()");
        check("ip.isCanonical('::1') && !ip.isCanonical('0:0:0:0:0:0:0:1')");
        check("isCIDR('10.0.0.0/8') && !isCIDR('10.0.0.0/33') && !isCIDR('10.0.0.0')");
        check("cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('10.0.0.0/8').containsIP('::1')");
        check("cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')");
        check("!cidr('10.1.0.0/16').containsCIDR('10.0.0.0/8')");
        check("cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8')");
        check("cidr('::/0').prefixLength() == 0 && cidr('::/0').containsIP('2001:db8::1')");
    }

    #[test]
    fn lists_and_texts_are_searched() {
        check("[1, 2, 3].sum() == 6 && ['a', 'b'].max() == 'b' && [2, 1].min() == 1");
        check("[1, 2].isSorted() && ![2, 1].isSorted() && ['x', 'y', 'x'].indexOf('x') == 0");
        check("['x', 'y', 'x'].lastIndexOf('x') == 2 && [1].indexOf(2) == -1");
        check("sets.contains([1, 2], [2]) && sets.equivalent([1, 2], [2, 1, 1])");
        check("sets.intersects([1, 2], [2, 3]) && !sets.intersects([1], [2])");
        check("'abc 123'.find('[0-9]+') == '123' && 'abc'.find('[0-9]+') == ''");
        check("'1 2 3'.findAll('[0-9]') == ['1', '2', '3']");
        check("'1 2 3'.findAll('[0-9]', 2) == ['1', '2']");
    }

    #[test]
    fn versions_are_ordered() {
        check("isSemver('1.2.3-alpha.1+b') && !isSemver('1.2') && !isSemver('01.2.3')");
        check("semver('1.10.0').isGreaterThan(semver('1.9.9')) && semver('1.2.3').minor() == 2");
        check("semver('1.0.0-alpha').isLessThan(semver('1.0.0'))");
        check("semver('1.0.0-alpha.2').isLessThan(semver('1.0.0-alpha.10'))");
        check("semver('1.0.0-1').isLessThan(semver('1.0.0-a'))");
        check("semver('v1.2', true) == semver('1.2.0') && isSemver('v01.2', true)");
        check("semver('1.2.3+a').compareTo(semver('1.2.3+b')) == 0");
    }

    #[test]
    fn texts_are_judged_by_their_form() {
        check("!format.dns1123Label().validate('my-name').hasValue()");
        check("format.dns1123Label().validate('My_Name').value().size() == 1");
        check("!format.dns1123LabelPrefix().validate('my-').hasValue()");
        check("format.named('uuid').hasValue() && !format.named('shape').hasValue()");
        check("format.named('date').value().validate('today').value() == ['invalid date']");
        check("!format.datetime().validate('2026-01-01T00:00:00Z').hasValue()");
    }

    #[test]
    fn times_and_spans_are_compared() {
        check("duration('1m') < duration('1h')");
        check("timestamp('2026-01-01T00:00:00Z') > timestamp('2025-01-01T00:00:00Z')");
    }
}
