using System.Collections.Immutable;

namespace Provisioner.Resources;

/// <summary>A declarative resource: what a person writes as YAML and the appliance keeps.</summary>
public interface IResource
{
    /// <summary>The value of <c>kind</c>, such as <c>Host</c>.</summary>
    string Kind { get; }

    Metadata Metadata { get; }
}

/// <summary>What every resource carries besides its spec.</summary>
/// <param name="Name">An RFC 1123 subdomain of at most 64 characters, unique within its kind.</param>
public sealed record Metadata(string Name)
{
    public ImmutableSortedDictionary<string, string> Labels { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>Grows by one with each change of this resource; 0 before it is stored.</summary>
    public long ResourceVersion { get; init; }

    public DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset UpdatedAt { get; init; }
}
