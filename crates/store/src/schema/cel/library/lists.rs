//! Sums, extremes, places and sets of lists.

use std::cmp::Ordering;

use cel::common::types::{BOOL_TYPE, CelBool, CelInt, DYN_TYPE, LIST_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError};

use super::failed;

type Args<'b, 'v> = Vec<CowVal<'b, 'v>>;
type Answer<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

pub(super) fn extension(env: &mut Env) -> Result<(), DeclarationError> {
    let of_list = |env: &mut Env, name: &str, function| {
        env.add_member_overload(name, &format!("list_{name}"), LIST_TYPE, vec![], function)
    };
    of_list(env, "isSorted", is_sorted)?;
    of_list(env, "sum", sum)?;
    of_list(env, "min", least)?;
    of_list(env, "max", greatest)?;
    let index = |env: &mut Env, name: &str, function| {
        env.add_member_overload(name, &format!("list_{name}"), LIST_TYPE, vec![DYN_TYPE], function)
    };
    index(env, "indexOf", index_of)?;
    index(env, "lastIndexOf", last_index_of)?;
    let of_sets = |env: &mut Env, name: &str, function| {
        env.add_overload(name, name, vec![LIST_TYPE, LIST_TYPE], function)
    };
    of_sets(env, "sets.contains", contains)?;
    of_sets(env, "sets.equivalent", equivalent)?;
    of_sets(env, "sets.intersects", intersects)
}

fn members<'b, 'v>(list: &'b CowVal<'_, 'v>) -> Vec<&'b (dyn Val + 'v)> {
    let mut found = Vec::new();
    if let Some(list) = list.as_ref().as_iterable() {
        let mut items = list.iter();
        while let Some(item) = items.next() {
            found.push(item);
        }
    }
    found
}

fn compared(one: &dyn Val, other: &dyn Val) -> Result<Ordering, ExecutionError> {
    let comparer = one.as_comparer().ok_or_else(|| failed("compare", "no such overload"))?;
    comparer.compare(other)
}

fn truth<'b, 'v>(value: bool) -> Answer<'b, 'v> {
    debug_assert_eq!(CelBool::from(value).get_type(), &BOOL_TYPE);
    Ok(CowVal::owned(CelBool::from(value)))
}

fn is_sorted<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    for pair in members(&args[0]).windows(2) {
        if compared(pair[0], pair[1])? == Ordering::Greater {
            return truth(false);
        }
    }
    truth(true)
}

fn sum<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let mut items = members(&args[0]).into_iter();
    let Some(first) = items.next() else { return Ok(CowVal::owned(CelInt::from(0))) };
    let mut total = first.clone_as_boxed();
    for item in items {
        let adder = total.as_adder().ok_or_else(|| failed("sum", "no such overload"))?;
        let next = adder.add(item)?.into_owned();
        total = next;
    }
    Ok(CowVal::Owned(total))
}

fn least<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    extreme(&args[0], "min", Ordering::Less)
}

fn greatest<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    extreme(&args[0], "max", Ordering::Greater)
}

fn extreme<'b, 'v>(list: &CowVal<'b, 'v>, name: &str, wanted: Ordering) -> Answer<'b, 'v> {
    let mut items = members(list).into_iter();
    let empty = || failed(name, &format!("{name} called on empty list"));
    let mut best = items.next().ok_or_else(empty)?;
    for item in items {
        if compared(item, best)? == wanted {
            best = item;
        }
    }
    Ok(CowVal::Owned(best.clone_as_boxed()))
}

fn index_of<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let place = members(&args[0]).iter().position(|item| item.equals(args[1].as_ref()));
    Ok(CowVal::owned(CelInt::from(index(place))))
}

fn last_index_of<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let place = members(&args[0]).iter().rposition(|item| item.equals(args[1].as_ref()));
    Ok(CowVal::owned(CelInt::from(index(place))))
}

fn index(place: Option<usize>) -> i64 {
    place.and_then(|place| i64::try_from(place).ok()).unwrap_or(-1)
}

fn has_all(list: &[&dyn Val], wanted: &[&dyn Val]) -> bool {
    wanted.iter().all(|one| list.iter().any(|item| item.equals(*one)))
}

fn contains<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    truth(has_all(&members(&args[0]), &members(&args[1])))
}

fn equivalent<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let (one, other) = (members(&args[0]), members(&args[1]));
    truth(has_all(&one, &other) && has_all(&other, &one))
}

fn intersects<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let (one, other) = (members(&args[0]), members(&args[1]));
    truth(other.iter().any(|item| one.iter().any(|mine| mine.equals(*item))))
}
