//! How the lists and maps of built-in kinds merge, which the compiled-in types do not say.
//!
//! One line per field: definition and field, list kind, and the strategic merge key if there is one.

/// `Definition.field kind[:keys] [merge key]`; `-` as merge key means a list of scalars that merges.
#[rustfmt::skip]
const LISTS: &[&str] = &[
    "ObjectMeta.finalizers set -",
    "ObjectMeta.ownerReferences map:uid uid",
    "PodSpec.containers map:name name",
    "PodSpec.initContainers map:name name",
    "PodSpec.ephemeralContainers map:name name",
    "PodSpec.volumes map:name name",
    "PodSpec.imagePullSecrets map:name name",
    "PodSpec.hostAliases map:ip ip",
    "PodSpec.topologySpreadConstraints map:topologyKey,whenUnsatisfiable topologyKey",
    "PodSpec.schedulingGates map:name name",
    "PodSpec.resourceClaims map:name name",
    "PodStatus.conditions map:type type",
    "PodStatus.podIPs map:ip ip",
    "PodStatus.hostIPs atomic ip",
    "PodStatus.resourceClaimStatuses map:name name",
    "Container.env map:name name",
    "Container.ports map:containerPort,protocol containerPort",
    "Container.volumeMounts map:mountPath mountPath",
    "Container.volumeDevices map:devicePath devicePath",
    "EphemeralContainer.env map:name name",
    "EphemeralContainer.ports map:containerPort,protocol containerPort",
    "EphemeralContainer.volumeMounts map:mountPath mountPath",
    "EphemeralContainer.volumeDevices map:devicePath devicePath",
    "ResourceRequirements.claims map:name",
    "ServiceSpec.ports map:port,protocol port",
    "ServiceStatus.conditions map:type type",
    "ServiceAccount.secrets map:name name",
    "NodeSpec.podCIDRs set -",
    "NodeStatus.conditions map:type type",
    "NodeStatus.addresses map:type type",
    "NamespaceStatus.conditions map:type type",
    "PersistentVolumeClaimStatus.conditions map:type type",
    "ReplicationControllerStatus.conditions map:type type",
    "DeploymentStatus.conditions map:type type",
    "ReplicaSetStatus.conditions map:type type",
    "StatefulSetStatus.conditions map:type type",
    "DaemonSetStatus.conditions map:type type",
    "JobStatus.conditions atomic type",
    "HorizontalPodAutoscalerStatus.conditions map:type type",
    "PodDisruptionBudgetStatus.conditions map:type type",
    "CustomResourceDefinitionStatus.conditions map:type",
    "MutatingWebhookConfiguration.webhooks map:name name",
    "ValidatingWebhookConfiguration.webhooks map:name name",
];

/// Objects that are owned as a whole.
const ATOMIC_TYPES: &[&str] = &[
    "LabelSelector",
    "NodeSelector",
    "NodeSelectorTerm",
    "LocalObjectReference",
    "ObjectReference",
    "SecretKeySelector",
    "ConfigMapKeySelector",
    "ObjectFieldSelector",
    "ResourceFieldSelector",
    "TypedLocalObjectReference",
    "OwnerReference",
    "ScopeSelector",
    "SecretReference",
    "TopologySelectorTerm",
    "RoleRef",
    "Subject",
    "EndpointAddress",
    "EndpointPort",
    "FileKeySelector",
    "RawExtension",
    "ServiceBackendPort",
];

/// Maps that are owned as a whole although their type is not.
const ATOMIC_MAPS: &[&str] =
    &["ServiceSpec.selector", "ReplicationControllerSpec.selector", "PodSpec.nodeSelector"];

/// Fields whose default decides an item's identity.
const KEY_DEFAULTS: &[(&str, &str)] =
    &[("ContainerPort.protocol", "TCP"), ("ServicePort.protocol", "TCP")];

/// How one list merges: list kind, keys, strategic merge key.
pub(crate) struct ListFact {
    pub(crate) kind: &'static str,
    pub(crate) keys: Vec<&'static str>,
    pub(crate) merge_key: Option<&'static str>,
}

/// The fact about a field of a definition, if it is not the plain case.
pub(crate) fn list(definition: &str, field: &str) -> Option<ListFact> {
    let row = LISTS.iter().find(|row| names(row, definition, field))?;
    let mut words = row.split(' ').skip(1);
    let (kind, keys) = words.next().map(|word| word.split_once(':').unwrap_or((word, "")))?;
    let keys = keys.split(',').filter(|key| !key.is_empty()).collect();
    Some(ListFact { kind, keys, merge_key: words.next() })
}

/// Whether objects of a definition are owned as a whole.
pub(crate) fn is_atomic_type(definition: &str) -> bool {
    ATOMIC_TYPES.contains(&definition)
}

/// Whether a map field is owned as a whole.
pub(crate) fn is_atomic_map(definition: &str, field: &str) -> bool {
    ATOMIC_MAPS.iter().any(|row| names(row, definition, field))
}

/// The value a missing key field of a list item stands for.
pub(crate) fn key_default(definition: &str, field: &str) -> Option<&'static str> {
    let row = KEY_DEFAULTS.iter().find(|(row, _)| names(row, definition, field));
    row.map(|(_, default)| *default)
}

fn names(row: &str, definition: &str, field: &str) -> bool {
    let path = row.split(' ').next().unwrap_or_default();
    path.split_once('.') == Some((definition, field))
}
