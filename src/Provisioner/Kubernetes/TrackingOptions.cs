namespace Provisioner.Kubernetes;

/// <summary>How closely clusters are followed. Nodes are watched; what else is asked for is asked for now and then.</summary>
internal sealed record TrackingOptions
{
    /// <summary>Changes that come together are written together.</summary>
    public TimeSpan Linger { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Between two looks at what time alone changes.</summary>
    public TimeSpan LookEvery { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Between two looks at pending certificate signing requests.</summary>
    public TimeSpan RequestsEvery { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Between two looks at which nodes have work. A list of all pods is the most expensive question there is.</summary>
    public TimeSpan PodsEvery { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>A cluster that is away for so long is told of.</summary>
    public TimeSpan UnreachableFor { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>Between two writes of when a cluster was last heard.</summary>
    public TimeSpan ContactEvery { get; init; } = TimeSpan.FromMinutes(5);
}
