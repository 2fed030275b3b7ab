using System.Globalization;
using Provisioner.Protocols;

namespace Provisioner.Kubernetes;

/// <summary>The Ready condition of a node.</summary>
/// <param name="Status"><c>True</c>, <c>False</c> or <c>Unknown</c>.</param>
/// <param name="HeardAt">When the kubelet last reported.</param>
public sealed record ReadyCondition(string Status, string? Reason, string? Message, DateTimeOffset? ChangedAt, DateTimeOffset? HeardAt);

/// <summary>Of a Node object in a cluster, what is kept. Everything in it is the cluster's text.</summary>
public sealed record NodeFacts
{
    public required string Name { get; init; }

    /// <summary>Another one after the Node was deleted and registered again.</summary>
    public required string Uid { get; init; }

    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>Null until the kubelet or the cluster has set one.</summary>
    public ReadyCondition? Ready { get; init; }

    /// <summary>The pod network says that it is not set up on this node.</summary>
    public bool NetworkUnavailable { get; init; }

    /// <summary>Cordoned.</summary>
    public bool Unschedulable { get; init; }

    public string? KubeletVersion { get; init; }

    public Ipv4Address? Address { get; init; }

    public string? ProviderId { get; init; }

    /// <summary><c>iam-ra</c> or <c>ssm</c>, as nodeadm labels its nodes.</summary>
    public string? CredentialProvider { get; init; }

    public int? Cpus { get; init; }

    public long? MemoryMiB { get; init; }

    /// <summary>Its operating system, kernel and container runtime, as its kubelet says them.</summary>
    public string? Software { get; init; }

    /// <summary>All its conditions with their status, such as <c>Ready True, DiskPressure False</c>.</summary>
    public string? Conditions { get; init; }

    private const string CredentialLabel = "eks.amazonaws.com/hybrid-credential-provider";

    /// <summary>A node that nodeadm joined by Systems Manager is called by its managed instance, not by its host.</summary>
    public bool IsManagedInstance => Name.StartsWith("mi-", StringComparison.Ordinal);

    internal static NodeFacts Of(ApiNode node)
    {
        var ready = node.Status?.Conditions?.FirstOrDefault(c => c.Type == "Ready");
        return new NodeFacts
        {
            Name = node.Metadata.Name ?? "",
            Uid = node.Metadata.Uid ?? "",
            CreatedAt = node.Metadata.CreationTimestamp ?? default,
            Ready = ready is null ? null : new(ready.Status ?? "Unknown", Short(ready.Reason), Resources.Texts.OneLine(ready.Message, 400), ready.LastTransitionTime, ready.LastHeartbeatTime),
            NetworkUnavailable = node.Status?.Conditions?.Any(c => c is { Type: "NetworkUnavailable", Status: "True" }) == true,
            Unschedulable = node.Spec?.Unschedulable == true,
            KubeletVersion = Short(node.Status?.NodeInfo?.KubeletVersion),
            Address = node.Status?.Addresses?.Where(a => a.Type == "InternalIP").Select(a => Ipv4Address.TryParse(a.Address, out var address) ? address : (Ipv4Address?)null).FirstOrDefault(a => a is not null),
            ProviderId = Resources.Texts.OneLine(node.Spec?.ProviderID, 400),
            CredentialProvider = Short(node.Metadata.Labels?.GetValueOrDefault(CredentialLabel)),
            Cpus = node.Status?.Capacity?.GetValueOrDefault("cpu") is { } cpu ? CpusOf(cpu) : null,
            MemoryMiB = node.Status?.Capacity?.GetValueOrDefault("memory") is { } memory ? MemoryOf(memory) : null,
            Software = node.Status?.NodeInfo is { } info && string.Join(", ", new[] { info.OsImage, info.KernelVersion, info.ContainerRuntimeVersion }.Where(t => t is { Length: > 0 })) is { Length: > 0 } software ? Resources.Texts.OneLine(software, 200) : null,
            // By name: the order the cluster gives them in means nothing.
            Conditions = node.Status?.Conditions is { Count: > 0 } all ? Resources.Texts.OneLine(string.Join(", ", all.Select(c => $"{c.Type} {c.Status}").Order(StringComparer.Ordinal)), 400) : null,
        };
    }

    // A quantity: 8, or 7910m. https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    private static int? CpusOf(string quantity) =>
        int.TryParse(quantity, NumberStyles.None, CultureInfo.InvariantCulture, out var whole) ? whole
        : quantity.EndsWith('m') && int.TryParse(quantity[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var milli) ? (milli + 999) / 1000 : null;

    // Also a quantity; the kubelet says it in Ki.
    private static long? MemoryOf(string quantity)
    {
        var digits = quantity.AsSpan().IndexOfAnyExceptInRange('0', '9') is var end and >= 0 ? quantity.AsSpan(0, end) : quantity;
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number > 1L << 50)
            return null;
        return quantity[digits.Length..] switch { "" => number >> 20, "Ki" => number >> 10, "Mi" => number, "Gi" when number < 1L << 40 => number << 10, _ => null };
    }

    private static string? Short(string? text) => Resources.Texts.OneLine(text, 64);
}
