namespace Provisioner.Artifacts;

/// <summary>Where one artifact comes from, and what is known of it before it has come.</summary>
/// <param name="Path">Its key in the cache and its name below <c>/artifacts/</c>.</param>
/// <param name="Upstream">The upstream it belongs to.</param>
/// <param name="Url">Made of the configuration and of an upstream's own manifest; of a client's words only below the upstream's URL.</param>
internal sealed record ArtifactSource(string Path, Upstream Upstream, Uri Url)
{
    /// <summary>The digest that the configuration, or the name itself, gives.</summary>
    public string? Sha256 { get; init; }

    /// <summary>The upstream's checksum file for it.</summary>
    public ArtifactSource? Checksum { get; init; }

    /// <summary>Its content never changes under this name: once here, nobody is asked again.</summary>
    public bool IsImmutable { get; init; }

    /// <summary>The configuration gives its digest: it is kept, and redirects are followed, since they cannot change what it is.</summary>
    public bool IsPinned { get; init; }

    /// <summary>More than this is refused; 0 for what the cache can hold.</summary>
    public long MaximumLength { get; init; }

    public string FileName => Path[(Path.LastIndexOf('/') + 1)..];

    /// <summary>What vouches for it once it is here.</summary>
    public string VerifiedBy => IsPinned ? "the configuration's SHA-256"
        : Sha256 is not null ? "the SHA-256 in its name"
        : Checksum is not null ? "the upstream's checksum file"
        : "its length alone";
}
