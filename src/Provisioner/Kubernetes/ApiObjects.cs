using System.Text.Json;

namespace Provisioner.Kubernetes;

// Objects of the API as far as they are read here. A Node is 10 to 20 KB, most of it the images it holds and who wrote which field: with
// thousands of nodes, what is not wanted must not even be made into strings. https://kubernetes.io/docs/reference/kubernetes-api/

internal sealed record ApiMeta
{
    public string? Name { get; init; }

    public string? Namespace { get; init; }

    public string? Uid { get; init; }

    public string? ResourceVersion { get; init; }

    public DateTimeOffset? CreationTimestamp { get; init; }

    public Dictionary<string, string>? Labels { get; init; }

    public List<ApiOwner>? OwnerReferences { get; init; }
}

internal sealed record ApiOwner(string? Kind, bool? Controller);

internal sealed record ApiCondition(string? Type, string? Status, string? Reason, string? Message, DateTimeOffset? LastTransitionTime, DateTimeOffset? LastHeartbeatTime);

internal sealed record ApiNode
{
    public ApiMeta Metadata { get; init; } = new();

    public ApiNodeSpec? Spec { get; init; }

    public ApiNodeStatus? Status { get; init; }
}

internal sealed record ApiNodeSpec(string? ProviderID, bool? Unschedulable);

internal sealed record ApiNodeStatus(List<ApiCondition>? Conditions, List<ApiAddress>? Addresses, ApiNodeInfo? NodeInfo, Dictionary<string, string>? Capacity);

internal sealed record ApiAddress(string? Type, string? Address);

internal sealed record ApiNodeInfo(string? KubeletVersion, string? OsImage, string? KernelVersion, string? ContainerRuntimeVersion);

internal sealed record ApiPod
{
    public ApiMeta Metadata { get; init; } = new();

    public ApiPodSpec? Spec { get; init; }

    public ApiPodStatus? Status { get; init; }
}

internal sealed record ApiPodSpec(string? NodeName);

internal sealed record ApiPodStatus(string? Phase);

internal sealed record ApiSigningRequest
{
    public ApiMeta Metadata { get; init; } = new();

    public ApiSigningRequestSpec? Spec { get; init; }

    public ApiSigningRequestStatus? Status { get; init; }
}

internal sealed record ApiSigningRequestSpec(string? SignerName, string? Username);

internal sealed record ApiSigningRequestStatus(List<ApiCondition>? Conditions, string? Certificate);

internal sealed record ApiList<T>
{
    public ApiListMeta Metadata { get; init; } = new();

    public List<T> Items { get; init; } = [];
}

internal sealed record ApiListMeta
{
    public string? ResourceVersion { get; init; }

    public string? Continue { get; init; }
}

/// <summary>One line of a watch. The object of an ERROR is a Status, and is read as one.</summary>
internal sealed record ApiWatchEvent(string? Type, JsonElement Object);

internal sealed record ApiStatus(int? Code, string? Reason, string? Message);
