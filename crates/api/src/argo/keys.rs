//! Names of labels, annotations and other words that clients and controllers share.
//!
//! Nothing here is ours: each is part of the wire contract.

/// Label and selector key of a revision on ReplicaSets, pods, services, runs and experiments.
pub const POD_TEMPLATE_HASH: &str = "rollouts-pod-template-hash";
/// Annotation with the revision number on ReplicaSets, rollouts, runs and experiments.
pub const REVISION: &str = "rollout.argoproj.io/revision";
/// Annotation with the former revisions of a ReplicaSet, joined by commas.
pub const REVISION_HISTORY: &str = "rollout.argoproj.io/revision-history";
/// Annotation with the replicas the rollout last wanted, on its ReplicaSets.
pub const DESIRED_REPLICAS: &str = "rollout.argoproj.io/desired-replicas";
/// Annotation with the generation of the referenced workload, on the rollout.
pub const WORKLOAD_GENERATION: &str = "rollout.argoproj.io/workload-generation";
/// Annotation with the metadata put on a ReplicaSet's pods for their role, as JSON.
pub const EPHEMERAL_METADATA: &str = "rollout.argoproj.io/ephemeral-metadata";
/// Annotation with the instant after which an old ReplicaSet may be scaled down.
pub const SCALE_DOWN_DEADLINE: &str = "scale-down-deadline";
/// Annotation with the name of the rollout that writes a service or route.
pub const MANAGED_BY_ROLLOUTS: &str = "argo-rollouts.argoproj.io/managed-by-rollouts";
/// Annotation with the annotations a rollout wrote on an Ingress, as JSON.
pub const MANAGED_ALB_ANNOTATIONS: &str = "rollouts.argoproj.io/managed-alb-annotations";
/// Former name of [`MANAGED_ALB_ANNOTATIONS`].
pub const MANAGED_ALB_ACTIONS: &str = "rollouts.argoproj.io/managed-alb-actions";
/// Label that gives an object to one of several controllers.
pub const CONTROLLER_INSTANCE_ID: &str = "argo-rollouts.argoproj.io/controller-instance-id";
/// Annotation with the instant a ReplicaSet was restarted.
pub const RESTARTED_AFTER: &str = "argo-rollouts.argoproj.io/restarted-after";
/// Label with the part an analysis run plays for its rollout.
pub const ROLLOUT_TYPE: &str = "rollout-type";
/// Label with the index of the step an analysis run belongs to.
pub const STEP_INDEX: &str = "step-index";
/// Value of [`ROLLOUT_TYPE`] for the run of a step.
pub const ROLLOUT_TYPE_STEP: &str = "Step";
/// Value of [`ROLLOUT_TYPE`] for the run beside the steps.
pub const ROLLOUT_TYPE_BACKGROUND: &str = "Background";
/// Value of [`ROLLOUT_TYPE`] for the run before the switch.
pub const ROLLOUT_TYPE_PRE_PROMOTION: &str = "PrePromotion";
/// Value of [`ROLLOUT_TYPE`] for the run after the switch.
pub const ROLLOUT_TYPE_POST_PROMOTION: &str = "PostPromotion";
/// Annotation with the experiment a ReplicaSet or service belongs to.
pub const EXPERIMENT_NAME: &str = "experiment.argoproj.io/name";
/// Annotation with the template of the experiment a ReplicaSet or service belongs to.
pub const EXPERIMENT_TEMPLATE_NAME: &str = "experiment.argoproj.io/template-name";
/// Label with the uid of the analysis run, on its Jobs and their pods.
pub const ANALYSIS_RUN_UID: &str = "analysisrun.argoproj.io/uid";
/// Annotation with the name of the analysis run, on its Jobs.
pub const ANALYSIS_RUN_NAME: &str = "analysisrun.argoproj.io/name";
/// Annotation with the namespace of the analysis run, on its Jobs.
pub const ANALYSIS_RUN_NAMESPACE: &str = "analysisrun.argoproj.io/namespace";
/// Annotation with the name of the metric, on its Jobs.
pub const ANALYSIS_RUN_METRIC_NAME: &str = "analysisrun.argoproj.io/metric-name";
/// Label of the Secret that holds access to the Istio primary cluster.
pub const ISTIO_PRIMARY_CLUSTER: &str = "istio.argoproj.io/primary-cluster";
/// Annotation with the notifications already sent.
pub const NOTIFIED: &str = "notified.notifications.argoproj.io";
/// Prefix of the annotations that subscribe to notifications.
pub const SUBSCRIBE_PREFIX: &str = "notifications.argoproj.io/subscribe.";
/// Annotation in which `kubectl apply` keeps what was applied.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Condition type: the specification cannot be carried out.
pub const CONDITION_INVALID_SPEC: &str = "InvalidSpec";
/// Condition type: enough pods are available.
pub const CONDITION_AVAILABLE: &str = "Available";
/// Condition type: the update advances.
pub const CONDITION_PROGRESSING: &str = "Progressing";
/// Condition type: pods could not be made or removed.
pub const CONDITION_REPLICA_FAILURE: &str = "ReplicaFailure";
/// Condition type: the rollout is paused.
pub const CONDITION_PAUSED: &str = "Paused";
/// Condition type: the wanted version is the stable one.
pub const CONDITION_COMPLETED: &str = "Completed";
/// Condition type: completed, and all pods are well.
pub const CONDITION_HEALTHY: &str = "Healthy";
/// Condition: the specification is carried out and all is well; of kstatus.
pub const CONDITION_READY: &str = "Ready";
/// Condition: the specification is being carried out; of kstatus, there only while it is true.
pub const CONDITION_RECONCILING: &str = "Reconciling";
/// Condition: the specification is not being carried out any further; of kstatus, there only while it is true.
pub const CONDITION_STALLED: &str = "Stalled";

/// Reason of `Progressing` while the ReplicaSet of a new version cannot be made.
pub const SET_CREATE_ERROR: &str = "ReplicaSetCreateError";
/// Pause reason: an analysis ended without a judgement.
pub const PAUSE_INCONCLUSIVE_ANALYSIS: &str = "InconclusiveAnalysisRun";
/// Pause reason: an experiment ended without a judgement.
pub const PAUSE_INCONCLUSIVE_EXPERIMENT: &str = "InconclusiveExperiment";
/// Pause reason: the step is a pause.
pub const PAUSE_CANARY_STEP: &str = "CanaryPauseStep";
/// Pause reason: the switch waits for its time or for a person.
pub const PAUSE_BLUE_GREEN: &str = "BlueGreenPause";
