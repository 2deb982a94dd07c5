//! Finding parts of texts by regular expressions.

use cel::common::types::{CelInt, CelList, CelString};
use cel::common::value::Val;
use cel::{DeclarationError, Env, ExecutionError, add_member_overload};
use regex::Regex;

use super::failed;

pub(super) fn extension(env: &mut Env) -> Result<(), DeclarationError> {
    add_member_overload!(env, fn find: (CelString<'_>, CelString<'_>) -> Result<CelString<'static>>)?;
    add_member_overload!(env, fn find_all: (CelString<'_>, CelString<'_>) -> Result<CelList<'static>>)?;
    add_member_overload!(env, fn find_some: (CelString<'_>, CelString<'_>, CelInt) -> Result<CelList<'static>>, name = "findAll")
}

fn pattern(text: &CelString<'_>) -> Result<Regex, ExecutionError> {
    Regex::new(text.inner()).map_err(|error| failed("find", &format!("Illegal regex: {error}")))
}

fn find(
    text: &CelString<'_>,
    wanted: &CelString<'_>,
) -> Result<CelString<'static>, ExecutionError> {
    let found = pattern(wanted)?.find(text.inner()).map(|found| found.as_str().to_owned());
    Ok(CelString::from(found.unwrap_or_default()))
}

fn find_all(
    text: &CelString<'_>,
    wanted: &CelString<'_>,
) -> Result<CelList<'static>, ExecutionError> {
    find_some(text, wanted, &CelInt::from(-1))
}

/// At most so many; a negative number means all.
fn find_some(
    text: &CelString<'_>,
    wanted: &CelString<'_>,
    most: &CelInt,
) -> Result<CelList<'static>, ExecutionError> {
    let most = usize::try_from(*most.inner()).unwrap_or(usize::MAX);
    let pattern = pattern(wanted)?;
    let found = pattern.find_iter(text.inner()).take(most);
    let texts = found.map(|one| Box::new(CelString::from(one.as_str().to_owned())) as Box<dyn Val>);
    Ok(CelList::from(texts.collect::<Vec<_>>()))
}
