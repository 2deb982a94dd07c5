//! The kinds that are watched.

/// One kind as the API names it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Group and version.
    pub(crate) version: &'static str,
    /// Name in the singular.
    pub(crate) name: &'static str,
    /// Path of the list of all its objects.
    pub(crate) path: &'static str,
}

macro_rules! kind {
    ($constant:ident, $version:literal, $name:literal, $path:literal) => {
        pub(crate) const $constant: Kind = Kind { version: $version, name: $name, path: $path };
    };
}

kind!(NODES, "v1", "Node", "/api/v1/nodes");
kind!(PODS, "v1", "Pod", "/api/v1/pods");
kind!(SERVICES, "v1", "Service", "/api/v1/services");
kind!(ENDPOINTS, "v1", "Endpoints", "/api/v1/endpoints");
kind!(SLICES, "discovery.k8s.io/v1", "EndpointSlice", "/apis/discovery.k8s.io/v1/endpointslices");
kind!(REPLICA_SETS, "apps/v1", "ReplicaSet", "/apis/apps/v1/replicasets");
kind!(DEPLOYMENTS, "apps/v1", "Deployment", "/apis/apps/v1/deployments");
kind!(STATEFUL_SETS, "apps/v1", "StatefulSet", "/apis/apps/v1/statefulsets");
kind!(DAEMON_SETS, "apps/v1", "DaemonSet", "/apis/apps/v1/daemonsets");
kind!(JOBS, "batch/v1", "Job", "/apis/batch/v1/jobs");
kind!(
    AUTOSCALERS,
    "autoscaling/v2",
    "HorizontalPodAutoscaler",
    "/apis/autoscaling/v2/horizontalpodautoscalers"
);
kind!(
    GATEWAY_CLASSES,
    "gateway.networking.k8s.io/v1",
    "GatewayClass",
    "/apis/gateway.networking.k8s.io/v1/gatewayclasses"
);
kind!(
    GATEWAYS,
    "gateway.networking.k8s.io/v1",
    "Gateway",
    "/apis/gateway.networking.k8s.io/v1/gateways"
);
kind!(
    ROUTES,
    "gateway.networking.k8s.io/v1",
    "HTTPRoute",
    "/apis/gateway.networking.k8s.io/v1/httproutes"
);
kind!(INGRESSES, "networking.k8s.io/v1", "Ingress", "/apis/networking.k8s.io/v1/ingresses");

kind!(ROLLOUTS, "argoproj.io/v1alpha1", "Rollout", "/apis/argoproj.io/v1alpha1/rollouts");

/// Everything that the scheduler and the kubelets look at.
pub(crate) static FOR_NODES: &[Kind] = &[NODES, PODS];

/// Everything that the controllers look at, and what the scheduler and the kubelets look at.
pub(crate) static FOR_CONTROLLERS: &[Kind] = &[
    NODES,
    PODS,
    SERVICES,
    ENDPOINTS,
    SLICES,
    REPLICA_SETS,
    DEPLOYMENTS,
    STATEFUL_SETS,
    DAEMON_SETS,
    JOBS,
    AUTOSCALERS,
    GATEWAY_CLASSES,
    GATEWAYS,
    ROUTES,
];

/// Everything that modelled traffic depends on.
pub(crate) static FOR_TRAFFIC: &[Kind] = &[PODS, SERVICES, SLICES, ROUTES, INGRESSES, ROLLOUTS];
