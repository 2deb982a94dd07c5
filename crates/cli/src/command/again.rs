//! Watching on while the API server does not answer, as upstream's caches do, which connect anew.

use crate::{Failure, Screen};
use std::time::Duration;
use tokio::time::sleep;

/// How long until whoever watches asks again.
const PAUSE: Duration = Duration::from_secs(1);

/// What was answered; nothing, after a pause, where asking again may help.
///
/// # Errors
/// What will not pass by itself: there is no such object, or it may not be seen.
pub(super) async fn or_again<T>(
    answer: Result<T, Failure>,
    screen: &mut Screen<'_>,
) -> Result<Option<T>, Failure> {
    match answer {
        Err(failure) if failure.is_passing() => {
            writeln!(screen.err, "{failure}; asking again")?;
            sleep(PAUSE).await;
            Ok(None)
        }
        answer => answer.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Exit, print};

    async fn answered(exit: Exit) -> (bool, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut screen = Screen {
            out: &mut out,
            err: &mut err,
            colour: print::Colour::Never,
            surface: print::Surface::Stream,
        };
        let answer: Result<(), Failure> = Err(Failure::Refused("it restarts".to_owned(), exit));
        let goes_on = or_again(answer, &mut screen).await.is_ok();
        (goes_on, String::from_utf8(err).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_asked_again_and_what_does_not_ends_the_watch() {
        let said = "it restarts; asking again\n".to_owned();
        assert_eq!(answered(Exit::Unexpected).await, (true, said));
        assert_eq!(answered(Exit::NotFound).await, (false, String::new()));
        assert_eq!(answered(Exit::Forbidden).await, (false, String::new()));
    }
}
