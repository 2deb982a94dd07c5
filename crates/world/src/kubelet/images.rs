//! Which images there are: every one whose name makes sense, but for those that say they do not exist.

/// Words in the name or tag of an image that is never found.
const MISSING: [&str; 5] =
    ["does-not-exist", "doesnotexist", "nonexistent", "no-such-image", "argo-error"];

/// A tag that the demo application does not have, and that examples ask for all the same.
const NO_SUCH_TAG: &str = ":error";

/// Whether an image with that name is never found, as its name or tag says.
pub(crate) fn is_missing(image: &str) -> bool {
    let image = image.rsplit('/').next().unwrap_or(image);
    MISSING.iter().any(|word| image.contains(word)) || image.ends_with(NO_SUCH_TAG)
}

/// Whether a text can be the name of an image: path parts in lower case, then a tag or digest.
pub(crate) fn is_image_name(image: &str) -> bool {
    let (rest, digest) =
        image.split_once('@').map_or((image, None), |(rest, digest)| (rest, Some(digest)));
    let slash = rest.rfind('/').map_or(0, |place| place + 1);
    let (path, tag) = match rest[slash..].find(':') {
        Some(colon) => (&rest[..slash + colon], Some(&rest[slash + colon + 1..])),
        None => (rest, None),
    };
    let is_tag = |tag: &str| {
        let letters = tag.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        letters && !tag.is_empty() && tag.len() <= 128 && !tag.starts_with(['.', '-'])
    };
    let mut parts = path.split('/').enumerate();
    let is_part = |place: usize, part: &str| {
        let host = place == 0 && path.contains('/');
        let allowed = |c: char| {
            c.is_ascii_lowercase()
                || c.is_ascii_digit()
                || "._-".contains(c)
                || (host && (c == ':' || c.is_ascii_uppercase()))
        };
        !part.is_empty()
            && part.chars().all(allowed)
            && !part.starts_with(['.', '_', '-'])
            && !part.ends_with(['.', '_', '-'])
    };
    parts.all(|(place, part)| is_part(place, part))
        && tag.is_none_or(is_tag)
        && digest.is_none_or(|digest| digest.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_say_so_are_missing() {
        for missing in [
            "argoproj/rollouts-demo:does-not-exist",
            "nonexistent-image-that-does-not-exist:latest",
            "nginx:1.19-alpine-argo-error",
            "argoproj/rollouts-demo:error",
        ] {
            assert!(is_missing(missing), "{missing}");
        }
        for there in ["nginx:1.19-alpine", "does-not-exist.example/nginx", "error-pages:1"] {
            assert!(!is_missing(there), "{there}");
        }
    }

    #[test]
    fn image_names_are_told_from_nonsense() {
        for good in [
            "nginx",
            "nginx:1.27",
            "argoproj/rollouts-demo:bad-blue",
            "localhost:5000/a/b:v1",
            "a@sha256:00",
        ] {
            assert!(is_image_name(good), "{good}");
        }
        for bad in ["", "a b", "UPPER/Case:1", "nginx:", "/x", "a//b", "nginx:a:b", "x:ä"] {
            assert!(!is_image_name(bad), "{bad}");
        }
    }
}
