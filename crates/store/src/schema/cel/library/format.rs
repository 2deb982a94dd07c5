//! Forms of names and values, by which texts are judged.

use cel::common::types::{CelList, CelOptional, CelString, Type};
use cel::common::value::Val;
use cel::{DeclarationError, Env, add_member_overload, add_overload};

use crate::builtin::names;
use crate::schema::format;

static FORMAT: Type = Type::new_unspecified_type("kubernetes.NamedFormat");

/// One form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    /// How rules call it.
    name: &'static str,
    /// Whether the text is the beginning of a name.
    prefix: bool,
}

/// The forms there are.
const FORMS: [&str; 13] = [
    "dns1123Label",
    "dns1123Subdomain",
    "dns1035Label",
    "qualifiedName",
    "dns1123LabelPrefix",
    "dns1123SubdomainPrefix",
    "dns1035LabelPrefix",
    "labelValue",
    "uri",
    "uuid",
    "byte",
    "date",
    "datetime",
];

opaque_value!(Form, FORMAT);

macro_rules! forms {
    ($env:ident, $($function:ident = $place:literal),*) => {
        $(
            {
                fn $function() -> Form {
                    of(FORMS[$place])
                }
                let name = format!("format.{}", FORMS[$place]);
                add_overload!($env, fn $function: () -> Form, name = name)?;
            }
        )*
    };
}

pub(super) fn extension(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_type(FORMAT.to_owned())?;
    forms!(
        env,
        label = 0,
        subdomain = 1,
        word = 2,
        qualified = 3,
        label_prefix = 4,
        subdomain_prefix = 5,
        word_prefix = 6,
        value = 7,
        uri = 8,
        uuid = 9,
        byte = 10,
        date = 11,
        time = 12
    );
    add_overload!(env, fn named: (CelString<'_>) -> CelOptional<'static>, name = "format.named")?;
    add_member_overload!(env, fn validate: (Form, CelString<'_>) -> CelOptional<'static>)
}

fn of(name: &'static str) -> Form {
    let plain = name.strip_suffix("Prefix");
    Form { name: plain.unwrap_or(name), prefix: plain.is_some() }
}

fn named(name: &CelString<'_>) -> CelOptional<'static> {
    let known = FORMS.into_iter().find(|known| *known == name.inner());
    let form = known.map(|known| Box::new(of(known)) as Box<dyn Val>);
    CelOptional::from(form)
}

/// What is wrong with a text; nothing where it has the form.
fn validate(form: &Form, text: &CelString<'_>) -> CelOptional<'static> {
    let whole = match text.inner().strip_suffix('-') {
        Some(start) if form.prefix => format!("{start}a"),
        _ => text.inner().to_owned(),
    };
    let wrong = match form.name {
        "dns1123Label" => names::label(&whole),
        "dns1123Subdomain" => names::subdomain(&whole),
        "dns1035Label" => names::word_label(&whole),
        "qualifiedName" => names::qualified_name(&whole),
        "labelValue" => names::label_value(&whole),
        other => {
            let known = if other == "datetime" { "date-time" } else { other };
            (!format::holds(known, &whole)).then(|| format!("invalid {other}"))
        }
    };
    let list = wrong.map(|wrong| {
        let text: Box<dyn Val> = Box::new(CelString::from(wrong));
        Box::new(CelList::from(vec![text])) as Box<dyn Val>
    });
    CelOptional::from(list)
}
