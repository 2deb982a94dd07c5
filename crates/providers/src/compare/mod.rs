//! `plugin ringfence/compare`: is the canary worse than the stable version?
//!
//! One metric is one long measurement. Every so often queries count requests of both versions and how many
//! were bad or slow; the counts are one interval for a judge of the crate `judges`, which may be
//! asked at every look without more false alarms. The first verdict ends the measurement.
//!
//! Start with [`settings`] for what can be set, [`question`] for how a source is asked, [`judging`] for
//! the judges, [`answers`], [`buckets`] and [`pods`] for what they come to and [`look`] for what becomes of that.
//!
//! [`budget`] shares the error budget of a release among its comparisons. What one of them has learned
//! goes on in the next one of the release ([`look::Learned`]).
//!
//! **Invariant.** A look is counted once: all that the judge knows is in the state of the wait, and so
//! in the run's status; a controller that dies during a look asks for it again. What is missing is
//! never a success.

mod answers;
mod buckets;
pub mod budget;
mod judging;
mod look;
mod pods;
mod question;
mod reader;
mod settings;

use crate::conversation::{FOREIGN_STATE, Problems, failed, turn};
use crate::{Asked, CredentialRef, Destination, Provider, Turn};
use jiff::Timestamp;
use look::{Look, Progress};
use serde::Deserialize;
use serde_json::Value;
use settings::Settings;
use std::collections::BTreeMap;
use vocab::{Reply, ReplyError};

/// The provider.
pub(crate) static COMPARE: Compare = Compare;

/// Asks a source about both versions, and a judge about the answers.
pub(crate) struct Compare;

impl Provider for Compare {
    fn name(&self) -> &'static str {
        "plugin ringfence/compare"
    }

    fn validate(&self, config: &Value) -> Problems {
        Settings::read(config).err().unwrap_or_default()
    }

    fn credentials(&self, config: &Value) -> Vec<CredentialRef> {
        let source = question::Source::of(config);
        source.map(|source| source.credentials()).unwrap_or_default()
    }

    fn start(&self, asked: &Asked<'_>, now: Timestamp) -> Turn {
        turn(Settings::valid(asked.config).map(|settings| {
            let progress = Progress::new(settings.fingerprint(), asked.learned, now);
            look::begin_when_due(&settings, asked, progress, now)
        }))
    }

    fn resume(
        &self,
        asked: &Asked<'_>,
        state: &Value,
        reply: Result<Reply, ReplyError>,
        now: Timestamp,
    ) -> Turn {
        turn(Settings::valid(asked.config).and_then(|settings| {
            let look = Look::deserialize(state).map_err(|_| failed(FOREIGN_STATE))?;
            if look.progress.settings != settings.fingerprint() {
                return Ok(self.start(asked, now));
            }
            Ok(look::go_on(&settings, asked, look, reply, now))
        }))
    }

    fn wake(&self, asked: &Asked<'_>, state: &Value, now: Timestamp) -> Turn {
        let Ok(progress) = Progress::deserialize(state) else { return self.start(asked, now) };
        turn(Settings::valid(asked.config).map(|settings| {
            if progress.settings == settings.fingerprint() {
                look::begin(&settings, asked, progress, now)
            } else {
                self.start(asked, now)
            }
        }))
    }

    fn destination(&self, state: &Value) -> Destination {
        if state["reading"].is_null() { Destination::Network } else { Destination::Cluster }
    }

    fn learned(&self, state: &Value) -> Option<Value> {
        Progress::deserialize(state).ok()?.learned()
    }

    fn waiting(&self, state: &Value) -> BTreeMap<String, String> {
        Progress::deserialize(state).map(|progress| progress.told).unwrap_or_default()
    }

    fn metadata(&self, config: &Value) -> BTreeMap<String, String> {
        Settings::read(config).map(|settings| settings.told()).unwrap_or_default()
    }
}
