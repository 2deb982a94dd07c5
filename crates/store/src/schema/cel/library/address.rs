//! Addresses of the network and their blocks.

use std::net::{IpAddr, Ipv6Addr};

use cel::common::types::{CelBool, CelInt, CelString, Type};
use cel::{DeclarationError, Env, ExecutionError, add_member_overload, add_overload};

use super::failed;

static IP: Type = Type::new_unspecified_type("net.IP");
static CIDR: Type = Type::new_unspecified_type("net.CIDR");

/// One address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ip(IpAddr);

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    address: IpAddr,
    bits: u8,
}

opaque_value!(Ip, IP);
opaque_value!(Block, CIDR);

pub(super) fn extension(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_type(IP.to_owned())?;
    env.add_type(CIDR.to_owned())?;
    add_overload!(env, fn is_ip: (CelString<'_>) -> CelBool, name = "isIP")?;
    add_overload!(env, fn ip: (CelString<'_>) -> Result<Ip>)?;
    add_overload!(env, fn is_canonical: (CelString<'_>) -> Result<CelBool>, name = "ip.isCanonical")?;
    add_overload!(env, fn ip_text: (Ip) -> CelString<'static>, name = "string")?;
    add_member_overload!(env, fn family: (Ip) -> CelInt)?;
    add_member_overload!(env, fn is_unspecified: (Ip) -> CelBool)?;
    add_member_overload!(env, fn is_loopback: (Ip) -> CelBool)?;
    add_member_overload!(env, fn is_link_local_unicast: (Ip) -> CelBool)?;
    add_member_overload!(env, fn is_link_local_multicast: (Ip) -> CelBool)?;
    add_member_overload!(env, fn is_global_unicast: (Ip) -> CelBool)?;
    add_overload!(env, fn is_cidr: (CelString<'_>) -> CelBool, name = "isCIDR")?;
    add_overload!(env, fn cidr: (CelString<'_>) -> Result<Block>)?;
    add_overload!(env, fn cidr_text: (Block) -> CelString<'static>, name = "string")?;
    add_member_overload!(env, fn contains_ip: (Block, Ip) -> CelBool, name = "containsIP")?;
    add_member_overload!(env, fn contains_ip_text: (Block, CelString<'_>) -> Result<CelBool>, name = "containsIP")?;
    add_member_overload!(env, fn contains_cidr: (Block, Block) -> CelBool, name = "containsCIDR")?;
    add_member_overload!(env, fn contains_cidr_text: (Block, CelString<'_>) -> Result<CelBool>, name = "containsCIDR")?;
    add_member_overload!(env, fn block_ip: (Block) -> Ip, name = "ip")?;
    add_member_overload!(env, fn masked: (Block) -> Block)?;
    add_member_overload!(env, fn prefix_length: (Block) -> CelInt)
}

/// An address; one of the fourth version in the dress of the sixth is none.
fn read_ip(text: &str) -> Option<Ip> {
    let address: IpAddr = text.parse().ok()?;
    let dressed = matches!(address, IpAddr::V6(six) if six.to_ipv4_mapped().is_some());
    (!dressed).then_some(Ip(address))
}

fn read_block(text: &str) -> Option<Block> {
    let (address, bits) = text.split_once('/')?;
    let Ip(address) = read_ip(address)?;
    let plain = bits == "0" || !bits.starts_with(['0', '+']);
    let bits: u8 = bits.parse().ok().filter(|_| plain)?;
    (bits <= width(address)).then_some(Block { address, bits })
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with all but its first bits cleared.
fn mask(address: IpAddr, bits: u8) -> IpAddr {
    let keep = |all: u128, width: u8| {
        let drop = u32::from(width - bits);
        all.checked_shr(drop).and_then(|kept| kept.checked_shl(drop)).unwrap_or(0)
    };
    match address {
        IpAddr::V4(four) => {
            let kept = keep(u128::from(u32::from(four)), 32);
            IpAddr::V4(u32::try_from(kept).unwrap_or_default().into())
        }
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from(keep(u128::from(six), 128))),
    }
}

fn is_ip(text: &CelString<'_>) -> CelBool {
    CelBool::from(read_ip(text.inner()).is_some())
}

fn ip(text: &CelString<'_>) -> Result<Ip, ExecutionError> {
    let wrong =
        || format!("IP Address {:?} parse error during conversion from string", text.inner());
    read_ip(text.inner()).ok_or_else(|| failed("ip", &wrong()))
}

fn is_canonical(text: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    Ok(CelBool::from(ip(text)?.0.to_string() == text.inner()))
}

fn ip_text(ip: &Ip) -> CelString<'static> {
    CelString::from(ip.0.to_string())
}

fn family(ip: &Ip) -> CelInt {
    CelInt::from(if ip.0.is_ipv4() { 4 } else { 6 })
}

fn is_unspecified(ip: &Ip) -> CelBool {
    CelBool::from(ip.0.is_unspecified())
}

fn is_loopback(ip: &Ip) -> CelBool {
    CelBool::from(ip.0.is_loopback())
}

fn is_link_local_unicast(ip: &Ip) -> CelBool {
    CelBool::from(match ip.0 {
        IpAddr::V4(four) => four.is_link_local(),
        IpAddr::V6(six) => six.is_unicast_link_local(),
    })
}

fn is_link_local_multicast(ip: &Ip) -> CelBool {
    CelBool::from(match ip.0 {
        IpAddr::V4(four) => four.octets()[..3] == [224, 0, 0],
        IpAddr::V6(six) => six.segments()[0] & 0xff0f == 0xff02,
    })
}

fn is_global_unicast(ip: &Ip) -> CelBool {
    let broadcast = matches!(ip.0, IpAddr::V4(four) if four.is_broadcast());
    let local = *is_link_local_unicast(ip).inner();
    let other = ip.0.is_unspecified() || ip.0.is_loopback() || ip.0.is_multicast();
    CelBool::from(!broadcast && !local && !other)
}

fn is_cidr(text: &CelString<'_>) -> CelBool {
    CelBool::from(read_block(text.inner()).is_some())
}

fn cidr(text: &CelString<'_>) -> Result<Block, ExecutionError> {
    let wrong =
        || format!("network address parse error during conversion from string: {:?}", text.inner());
    read_block(text.inner()).ok_or_else(|| failed("cidr", &wrong()))
}

fn cidr_text(block: &Block) -> CelString<'static> {
    CelString::from(format!("{}/{}", block.address, block.bits))
}

fn contains_ip(block: &Block, ip: &Ip) -> CelBool {
    let same = block.address.is_ipv4() == ip.0.is_ipv4();
    CelBool::from(same && mask(block.address, block.bits) == mask(ip.0, block.bits))
}

fn contains_ip_text(block: &Block, text: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    Ok(contains_ip(block, &ip(text)?))
}

fn contains_cidr(block: &Block, inner: &Block) -> CelBool {
    let within = *contains_ip(block, &Ip(mask(inner.address, inner.bits))).inner();
    CelBool::from(within && inner.bits >= block.bits)
}

fn contains_cidr_text(block: &Block, text: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    Ok(contains_cidr(block, &cidr(text)?))
}

fn block_ip(block: &Block) -> Ip {
    Ip(block.address)
}

fn masked(block: &Block) -> Block {
    Block { address: mask(block.address, block.bits), bits: block.bits }
}

fn prefix_length(block: &Block) -> CelInt {
    CelInt::from(i64::from(block.bits))
}
