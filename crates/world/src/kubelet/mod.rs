//! The scheduler and kubelet stand-in: it binds pods to nodes, starts and stops them, and reports on them.
//!
//! [`lifecycle::decide`] is the pure part: a pod, what is known of it and the time give the next status.
//! Orders to misbehave come as annotations, see [`orders`]. Nothing is executed; these are the rules:
//!
//! | of a pod | rule |
//! |---|---|
//! | node | the one with the fewest pods that is not cordoned and whose taints the pod tolerates; `nodeSelector` counts, affinity does not |
//! | image | every well-formed name is found, but one that contains `does-not-exist`, `doesnotexist`, `nonexistent`, `no-such-image` or `argo-error` in its last part, or has the tag `error` |
//! | command | none, or one named after the image: the image's own program, which serves, or ends with 0 after `run_for` where the pod is not always restarted |
//! | | `sleep`, `exit`, `true`, `false`, `echo`, `printf`, `tail -f`, and `sh -c` lines of them with `;`, `&&`, `||`, `set -e` and endless loops |
//! | | anything else is a start error; within a shell line it is a command that is not found (127) |
//! | signals | an image's own program stops after `stop_delay`; a simple command, being the first process of its container and without a handler, is killed when the grace period ends |
//! | hooks | take as long as their `sleep`; a `postStart` that fails kills its container; commands that only the image knows take no time and succeed |
//! | probes | the first after its initial delay, the others a period apart; asked over connections where pods listen, else answered by what is known of the image; `exec` of simple commands is judged by code and time-out, of others it passes |
//! | restarts | at once, then after 10 s, doubling up to 5 min; forgiven after a run of 10 min |
//! | init containers | one after the other, taking no time unless their command does; those with `restartPolicy: Always` run along |
//! | end | last report (always beside a real controller manager, else for pods that somebody waits for), then the delete with grace 0 and the pod's uid |

pub(crate) mod addresses;
pub(crate) mod command;
pub(crate) mod conditions;
pub(crate) mod containers;
pub(crate) mod hooks;
pub(crate) mod house;
pub(crate) mod images;
pub(crate) mod init;
pub(crate) mod lifecycle;
pub(crate) mod logs;
pub(crate) mod node;
pub mod orders;
pub(crate) mod prober;
pub(crate) mod probes;
pub(crate) mod program;
pub(crate) mod quality;
pub(crate) mod scheduling;
pub(crate) mod stopping;
