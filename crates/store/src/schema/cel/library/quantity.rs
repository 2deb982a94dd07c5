//! Amounts such as `100m` or `1Gi`.

use cel::common::types::{CelBool, CelDouble, CelInt, CelString, Type};
use cel::{DeclarationError, Env, ExecutionError, add_member_overload, add_overload};

use super::failed;
use crate::builtin::quantity::Quantity;

static QUANTITY: Type = Type::new_unspecified_type("kubernetes.Quantity");

/// An amount as a value of CEL.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Amount(Quantity);

opaque_value!(Amount, QUANTITY);

pub(super) fn extension(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_type(QUANTITY.to_owned())?;
    add_overload!(env, fn is_quantity: (CelString<'_>) -> CelBool)?;
    add_overload!(env, fn quantity: (CelString<'_>) -> Result<Amount>)?;
    add_member_overload!(env, fn sign: (Amount) -> CelInt)?;
    add_member_overload!(env, fn is_integer: (Amount) -> CelBool)?;
    add_member_overload!(env, fn as_integer: (Amount) -> Result<CelInt>)?;
    add_member_overload!(env, fn as_approximate_float: (Amount) -> CelDouble)?;
    add_member_overload!(env, fn is_greater_than: (Amount, Amount) -> CelBool)?;
    add_member_overload!(env, fn is_less_than: (Amount, Amount) -> CelBool)?;
    add_member_overload!(env, fn compare_to: (Amount, Amount) -> CelInt)?;
    add_member_overload!(env, fn add: (Amount, Amount) -> Result<Amount>)?;
    add_member_overload!(env, fn add_whole: (Amount, CelInt) -> Result<Amount>, name = "add")?;
    add_member_overload!(env, fn sub: (Amount, Amount) -> Result<Amount>)?;
    add_member_overload!(env, fn sub_whole: (Amount, CelInt) -> Result<Amount>, name = "sub")
}

fn is_quantity(text: &CelString<'_>) -> CelBool {
    CelBool::from(Quantity::parse(text.inner()).is_some())
}

fn quantity(text: &CelString<'_>) -> Result<Amount, ExecutionError> {
    let wrong = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    Quantity::parse(text.inner()).map(Amount).ok_or_else(|| failed("quantity", wrong))
}

fn sign(amount: &Amount) -> CelInt {
    CelInt::from(i64::from(amount.0.cmp(&Quantity::default()) as i8))
}

fn is_integer(amount: &Amount) -> CelBool {
    CelBool::from(amount.0.whole().is_some())
}

fn as_integer(amount: &Amount) -> Result<CelInt, ExecutionError> {
    let whole = amount.0.whole().map(CelInt::from);
    whole.ok_or_else(|| failed("asInteger", "cannot convert value to integer"))
}

fn as_approximate_float(amount: &Amount) -> CelDouble {
    CelDouble::from(amount.0.approximate())
}

fn is_greater_than(one: &Amount, other: &Amount) -> CelBool {
    CelBool::from(one.0 > other.0)
}

fn is_less_than(one: &Amount, other: &Amount) -> CelBool {
    CelBool::from(one.0 < other.0)
}

fn compare_to(one: &Amount, other: &Amount) -> CelInt {
    CelInt::from(i64::from(one.0.cmp(&other.0) as i8))
}

fn add(one: &Amount, other: &Amount) -> Result<Amount, ExecutionError> {
    one.0.plus(other.0).map(Amount).ok_or_else(|| failed("add", "integer overflow"))
}

fn add_whole(one: &Amount, whole: &CelInt) -> Result<Amount, ExecutionError> {
    add(one, &Amount(Quantity::of(*whole.inner())))
}

fn sub(one: &Amount, other: &Amount) -> Result<Amount, ExecutionError> {
    one.0.minus(other.0).map(Amount).ok_or_else(|| failed("sub", "integer overflow"))
}

fn sub_whole(one: &Amount, whole: &CelInt) -> Result<Amount, ExecutionError> {
    sub(one, &Amount(Quantity::of(*whole.inner())))
}
