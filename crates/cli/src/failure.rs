//! What can go wrong, and the exit code that says so.

use std::{io, process::ExitCode};

/// The exit codes of this program; upstream's name collapses all but success to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Something unexpected.
    Unexpected = 1,
    /// The arguments or files given are wrong.
    Usage = 2,
    /// The rollout is degraded.
    Degraded = 3,
    /// Time ran out.
    TimedOut = 4,
    /// There is no such object.
    NotFound = 7,
    /// The API server does not allow it.
    Forbidden = 8,
    /// A file that was looked through has something wrong in it.
    Findings = 10,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The kubeconfig could not be used, for the reason given.
    #[error("{0}")]
    ConfigUnusable(String),
    /// What was given is wrong: arguments that do not go together, or a file.
    #[error("{0}")]
    Wrong(String),
    /// A file was looked through, and this is the first thing that is wrong in it.
    #[error("{0}")]
    Found(String),
    /// The client could not be made.
    #[error("the client could not be made: {0}")]
    ClientUnusable(String),
    /// The API server said no.
    #[error("{0}")]
    Refused(String, Exit),
    /// The API server did not answer; of the layers that say so, the innermost knows why.
    #[error("the API server did not answer: {}", innermost(.0))]
    Unanswered(kube::Error),
    /// A watch broke off again and again.
    #[error("the watch does not come back: {0}")]
    Unwatched(String),
    /// The action makes no sense now.
    #[error(transparent)]
    Senseless(#[from] actions::Refused),
    /// The rollout is degraded.
    #[error("The rollout is in a degraded state with message: {0}")]
    Degraded(String),
    /// The rollout was not done in time.
    #[error("Rollout status watch exceeded timeout")]
    TimedOut,
    /// Standard output was closed.
    #[error("writing the output failed")]
    Output(#[from] io::Error),
    /// An object could not be understood.
    #[error("the API server answered something that is not understood")]
    Misunderstood(#[from] serde_json::Error),
}

impl Failure {
    /// The exit code that tells programs what happened.
    pub fn exit(&self) -> Exit {
        match self {
            Self::ConfigUnusable(_) | Self::Wrong(_) | Self::Senseless(_) => Exit::Usage,
            Self::Found(_) => Exit::Findings,
            Self::Refused(_, exit) => *exit,
            Self::Degraded(_) => Exit::Degraded,
            Self::TimedOut => Exit::TimedOut,
            Self::ClientUnusable(_)
            | Self::Unanswered(_)
            | Self::Unwatched(_)
            | Self::Output(_)
            | Self::Misunderstood(_) => Exit::Unexpected,
        }
    }

    /// Whether it may be over when the API server is asked again.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Unanswered(_) | Self::Refused(_, Exit::Unexpected))
    }

    /// Whether nobody reads the output any more: no reason to complain to anybody.
    pub fn is_unread(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// What to do about it, where we know.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::ConfigUnusable(_) => Some("pass --kubeconfig FILE or set KUBECONFIG"),
            Self::Refused(_, Exit::Forbidden) => {
                Some("check the user of this context, or pass --token: kubectl auth whoami")
            }
            Self::Unanswered(_) => {
                Some("check that the cluster of this context is up: kubectl version")
            }
            _ => None,
        }
    }
}

fn innermost(error: &kube::Error) -> String {
    let first: &dyn std::error::Error = error;
    std::iter::successors(Some(first), |error| error.source())
        .last()
        .map_or_else(String::new, ToString::to_string)
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => {
                let exit = match status.code {
                    404 => Exit::NotFound,
                    401 | 403 => Exit::Forbidden,
                    _ => Exit::Unexpected,
                };
                Self::Refused(status.message.clone(), exit)
            }
            other => Self::Unanswered(other),
        }
    }
}
