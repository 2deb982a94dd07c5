//! The two hashes of a rollout: that of its pod template, and that of its steps.
//!
//! The steps' hash is the one the Go controller writes, so that taking over a rollout under way does not
//! start its steps afresh. The template's hash names new ReplicaSets only; the hash of an existing one is
//! always taken from its label.

use api::argo::CanaryStep;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use std::fmt::Write as _;

const FNV_OFFSET: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 0x0100_0193;
/// Letters and digits that make no bad words, as Kubernetes names use them.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Bytes the collision count takes in the hash.
const COLLISION_BYTES: usize = 8;

/// Hash of a pod template; `collisions` makes it another one when a name was taken.
pub(crate) fn template_hash(template: &PodTemplateSpec, collisions: Option<i32>) -> String {
    let mut bytes = serde_json::to_vec(template).unwrap_or_default();
    if let Some(count) = collisions {
        let mut tail = [0; COLLISION_BYTES];
        tail[..size_of::<i32>()].copy_from_slice(&count.to_le_bytes());
        bytes.extend(tail);
    }
    encoded(&bytes)
}

/// Hash of the steps as the Go controller computes it.
pub(crate) fn steps_hash(steps: &[CanaryStep]) -> String {
    let json = if steps.is_empty() {
        "null".to_owned()
    } else {
        serde_json::to_string(steps).unwrap_or_default()
    };
    encoded(escaped_for_html(&json).as_bytes())
}

/// Go's JSON escapes what HTML would take for markup.
fn escaped_for_html(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(escaped, "\\u{:04x}", u32::from(character));
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

fn encoded(bytes: &[u8]) -> String {
    let sum =
        bytes.iter().fold(FNV_OFFSET, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(FNV_PRIME));
    let safe = |digit: u8| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()]);
    sum.to_string().bytes().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn steps_hash_as_the_go_controller_hashes_them() {
        let check = |steps: Value, expected: &str| {
            let steps: Vec<CanaryStep> = serde_json::from_value(steps).unwrap();
            assert_eq!(steps_hash(&steps), expected);
        };
        check(json!([{"pause": {}}]), "6b9b86fbd5");
        check(json!([{"pause": {}}, {"pause": {}}]), "79c9b9f6bf");
        check(json!([]), "5ffbfbbd64");
    }

    #[test]
    fn a_collision_gives_another_template_hash() {
        let template = PodTemplateSpec::default();
        assert_ne!(template_hash(&template, None), template_hash(&template, Some(1)));
        assert_ne!(template_hash(&template, Some(1)), template_hash(&template, Some(2)));
    }
}
