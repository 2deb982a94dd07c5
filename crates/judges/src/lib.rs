//! Judges: is the canary worse than the stable version?
//!
//! Each judge is fed one interval after the other and can be asked at any time, as often as anybody
//! likes: the chance that a release which is not worse is ever failed stays below the error rate that
//! was set. Start with [`rate`], the judge for most metrics; [`judge`] is what all of them share and
//! [`evidence`] what they answer. [`combine`] makes one verdict of many metrics. [`rank`] and
//! [`kayenta`] judge once, from points of time series, as Kayenta does; [`log`] judges what pods log.
//!
//! **Invariant.** Nothing here knows Kubernetes, a clock, chance or a file. A judge's state is small,
//! survives JSON to the last bit, and counts no interval twice. No judge passes without valid data.

pub mod combine;
pub mod confidence;
pub mod counts;
pub mod evidence;
pub mod judge;
pub mod kayenta;
pub mod latency;
pub mod log;
pub mod missing;
mod numeric;
pub mod process;
pub mod proportion;
pub mod quantile;
pub mod rank;
pub mod rate;
pub mod ratio;
pub mod report;
pub mod settings;
pub mod sign;
pub mod split;
pub mod table;
