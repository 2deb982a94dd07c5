//! What functions take, and the type of what they answer.
//!
//! Start with [`outcome`]; the functions themselves are in `functions/`.

use super::{ast::Loop, types::Type};

type Checked = Result<Type, String>;

/// The names that conditions have beyond the language's own.
const OF_CONDITIONS: &[&str] =
    &["result", "asInt", "asFloat", "isNaN", "isInf", "isNil", "default"];

/// Whether conditions give this name a meaning.
pub(super) fn is_of_conditions(name: &str) -> bool {
    OF_CONDITIONS.contains(&name)
}

/// Whether the language itself gives this name a meaning.
pub(super) fn is_builtin(name: &str) -> bool {
    let is_call = outcome(name, &[]).is_some() && !is_of_conditions(name);
    is_call || Loop::named(name).is_some() || super::functions::UNSUPPORTED.contains(&name)
}

/// The type of what a function answers; none when there is no such function.
pub(super) fn outcome(name: &str, types: &[Type]) -> Option<Checked> {
    use Type::{Any, Bool, Duration, Float, Int, Int64, Text, Texts};
    let fixed = |wanted: &[Type], answer: Type| called(name, types, wanted).map(|()| answer);
    let (text, two): (&[Type], &[Type]) = (&[Text], &[Text, Text]);
    Some(match name {
        "asInt" => fixed(&[Any], Int64),
        "asFloat" => fixed(&[Any], Float),
        "isNaN" | "isInf" => fixed(&[Float], Bool),
        "isNil" => fixed(&[Any], Bool),
        "default" => fixed(&[Any, Any], Any),
        "type" | "string" | "toJSON" => fixed(&[Any], Text),
        "fromJSON" => fixed(text, Any),
        "upper" | "lower" => fixed(text, Text),
        "trim" | "trimPrefix" | "trimSuffix" if types.len() == 2 => fixed(two, Text),
        "trim" | "trimPrefix" | "trimSuffix" => fixed(text, Text),
        "split" | "splitAfter" if types.len() == 3 => fixed(&[Text, Text, Int], Texts),
        "split" | "splitAfter" => fixed(two, Texts),
        "replace" if types.len() == 4 => fixed(&[Text, Text, Text, Int], Text),
        "replace" => fixed(&[Text, Text, Text], Text),
        "repeat" => fixed(&[Text, Int], Text),
        "indexOf" | "lastIndexOf" => fixed(two, Int),
        "hasPrefix" | "hasSuffix" => fixed(two, Bool),
        "duration" => fixed(text, Duration),
        "bitand" | "bitor" | "bitxor" | "bitnand" | "bitshl" | "bitshr" | "bitushr" => {
            fixed(&[Int, Int], Int)
        }
        "bitnot" => fixed(&[Int], Int),
        "join" => joined(types),
        "sort" => sorted(types),
        "now" | "date" => of_time(name, types),
        "max" | "min" | "mean" | "median" => aggregated(name, types),
        "len" | "abs" | "ceil" | "floor" | "round" | "int" | "float" => of_one(name, types),
        "first" | "last" | "keys" | "values" | "reverse" | "uniq" | "flatten" | "concat" => {
            of_lists(name, types)
        }
        "take" => taken(types),
        "get" => got(types),
        _ => return None,
    })
}

/// The type of what a function over each element answers, given that of the list and of the predicate.
pub(super) fn looped(kind: Loop, list: &Type, answer: Option<Type>) -> Checked {
    let asks = !matches!(kind, Loop::Map | Loop::Sum | Loop::SortBy | Loop::Reduce);
    match answer {
        Some(Type::Nil) => {
            return Err("predicate should has one input and one output param".to_owned());
        }
        Some(answer) if asks && answer != Type::Bool && !answer.is_unknown() => {
            return Err(format!("predicate should return boolean (got {answer})"));
        }
        _ => {}
    }
    Ok(match kind {
        Loop::All | Loop::None | Loop::Any | Loop::One => Type::Bool,
        Loop::Count => Type::Int,
        Loop::FindIndex | Loop::FindLastIndex => Type::Int,
        Loop::Filter if list.is_unknown() => Type::list(Type::Any),
        Loop::Filter => Type::list(list.element()),
        Loop::Map => Type::list(answer.unwrap_or(Type::Unknown)),
        Loop::Sum => answer.unwrap_or_else(|| list.element()),
        Loop::Find | Loop::FindLast => list.element(),
        Loop::SortBy => list.clone(),
        Loop::Reduce => answer.unwrap_or(Type::Unknown),
    })
}

/// The name of a function over each element.
pub(super) fn of(kind: Loop) -> &'static str {
    match kind {
        Loop::All => "all",
        Loop::None => "none",
        Loop::Any => "any",
        Loop::One => "one",
        Loop::Filter => "filter",
        Loop::Map => "map",
        Loop::Count => "count",
        Loop::Sum => "sum",
        Loop::Find => "find",
        Loop::FindIndex => "findIndex",
        Loop::FindLast => "findLast",
        Loop::FindLastIndex => "findLastIndex",
        Loop::SortBy => "sortBy",
        Loop::Reduce => "reduce",
    }
}

pub(super) fn too_many(name: &str) -> String {
    format!("too many arguments to call {name}")
}

/// Whether arguments of these types may be given where those are wanted.
fn called(name: &str, types: &[Type], wanted: &[Type]) -> Result<(), String> {
    if types.len() > wanted.len() {
        return Err(too_many(name));
    }
    if types.len() < wanted.len() {
        return Err(format!("not enough arguments to call {name}"));
    }
    types.iter().zip(wanted).try_for_each(|(given, wanted)| match given {
        Type::Nil if *wanted == Type::Any => Ok(()),
        Type::Nil => Err(format!("cannot use nil as argument (type {wanted}) to call {name}")),
        _ if given.is_unknown() || given.fits(wanted) => Ok(()),
        _ if given.is_integer() && wanted.is_number() => Ok(()),
        _ => Err(format!("cannot use {given} as argument (type {wanted}) to call {name} ")),
    })
}

fn counted(types: &[Type], wanted: usize) -> Result<(), String> {
    let given = types.len();
    if given == wanted {
        Ok(())
    } else {
        Err(format!("invalid number of arguments (expected {wanted}, got {given})"))
    }
}

fn of_one(name: &str, types: &[Type]) -> Checked {
    counted(types, 1)?;
    let given = &types[0];
    let will_do = match name {
        "len" => given.is_list() || given.is_text() || *given == Type::Map,
        "int" | "float" => given.is_number() || given.is_text(),
        _ => given.is_number(),
    };
    if !will_do && !given.is_unknown() {
        return Err(format!("invalid argument for {name} (type {given})"));
    }
    Ok(match name {
        "len" | "int" => Type::Int,
        "abs" => given.clone(),
        _ => Type::Float,
    })
}

/// Of several arguments the first decides that is not a number.
fn aggregated(name: &str, types: &[Type]) -> Checked {
    if types.is_empty() {
        return Err(format!("not enough arguments to call {name}"));
    }
    match types.iter().find(|given| !given.is_number()) {
        None => Ok(types[0].clone()),
        Some(given) if given.is_unknown() || given.is_list() => Ok(Type::Unknown),
        Some(given) => Err(format!("invalid argument for {name} (type {given})")),
    }
}

fn of_lists(name: &str, types: &[Type]) -> Checked {
    if name == "concat" && types.is_empty() {
        return Err("invalid number of arguments (expected at least 1, got 0)".to_owned());
    }
    if name != "concat" {
        counted(types, 1)?;
    }
    let of_map = matches!(name, "keys" | "values");
    let will_do = |given: &Type| {
        given.is_unknown() || (if of_map { *given == Type::Map } else { given.is_list() })
    };
    if let Some(given) = types.iter().find(|given| !will_do(given)) {
        return Err(match name {
            "first" | "last" => format!("cannot get {name} element from {given}"),
            "keys" | "values" => format!("cannot get {name} from {given}"),
            _ => format!("cannot {name} {given}"),
        });
    }
    Ok(match name {
        "first" | "last" => types[0].element(),
        _ => Type::list(Type::Any),
    })
}

fn taken(types: &[Type]) -> Checked {
    counted(types, 2)?;
    let (list, count) = (&types[0], &types[1]);
    if !list.is_list() && !list.is_unknown() {
        return Err(format!("cannot take from {list}"));
    }
    if !count.is_integer() && !count.is_unknown() {
        return Err(format!("cannot take {count} elements"));
    }
    Ok(list.clone())
}

fn got(types: &[Type]) -> Checked {
    counted(types, 2)?;
    let (from, key) = (&types[0], &types[1]);
    match from {
        _ if from.is_unknown() => Ok(Type::Unknown),
        _ if from.is_list() && (key.is_integer() || key.is_unknown()) => Ok(from.element()),
        _ if from.is_list() => Err(format!("non-integer slice index {key}")),
        Type::Map if key.is_text() || key.is_unknown() => Ok(Type::Any),
        Type::Map => Err(format!("cannot use {key} to get an element from {from}")),
        _ => Err(format!("type {from} does not support indexing")),
    }
}

fn joined(types: &[Type]) -> Checked {
    let texts = [Type::list(Type::Any), Type::Text];
    let wanted = if types.len() == 1 { &texts[..1] } else { &texts[..] };
    let (list, glue) = match types {
        [list] => (list, &Type::Text),
        [list, glue] => (list, glue),
        _ => return called("join", types, wanted).map(|()| Type::Text),
    };
    let list = if *list == Type::Texts { &texts[0] } else { list };
    let given = [list.clone(), glue.clone()];
    called("join", &given[..wanted.len()], wanted).map(|()| Type::Text)
}

fn sorted(types: &[Type]) -> Checked {
    let wanted = [Type::list(Type::Any), Type::Text];
    let wanted = if types.len() == 1 { &wanted[..1] } else { &wanted[..] };
    let is_typed = matches!(types.first(), Some(Type::Floats | Type::Texts));
    let (given, wanted) = if is_typed && types.len() == wanted.len() {
        (&types[1..], &wanted[1..])
    } else {
        (types, wanted)
    };
    called("sort", given, wanted).map(|()| Type::list(Type::Any))
}

fn of_time(name: &str, types: &[Type]) -> Checked {
    match (name, types) {
        ("now", []) => Ok(Type::Time),
        ("now", _) => counted(types, 0).map(|()| Type::Time),
        (_, [given]) if given.is_text() || given.is_unknown() => Ok(Type::Time),
        (_, []) => Err("invalid number of arguments (expected at least 1, got 0)".to_owned()),
        (_, [given]) => Err(format!("cannot use {given} as argument (type string) to call date ")),
        _ => Err("date() with a layout or a zone is not supported in conditions".to_owned()),
    }
}
