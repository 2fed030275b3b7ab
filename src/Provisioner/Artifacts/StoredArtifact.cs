using System.Text.Json;

namespace Provisioner.Artifacts;

/// <summary>An artifact that is here, whole and checked.</summary>
/// <param name="Path">Its name below <c>/artifacts/</c>.</param>
/// <param name="Url">Where it came from.</param>
/// <param name="Sha256">Of the content; its file's name and its entity tag.</param>
/// <param name="Size">In bytes.</param>
internal sealed record StoredArtifact(string Path, string Url, string Sha256, long Size)
{
    /// <summary>The upstream's own validators, to ask it whether there is something newer.</summary>
    public string? UpstreamETag { get; init; }

    public DateTimeOffset? LastModified { get; init; }

    public DateTimeOffset FetchedAt { get; init; }

    /// <summary>What vouches for it, as words.</summary>
    public string VerifiedBy { get; init; } = "";

    public string ETag => $"\"{Sha256}\"";

    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this);

    /// <summary>Null when it is none: written by another version, or damaged.</summary>
    public static StoredArtifact? FromJson(ReadOnlySpan<byte> json)
    {
        try
        {
            return JsonSerializer.Deserialize<StoredArtifact>(json) is { Path: not null, Url: not null, Sha256: { } digest, Size: >= 0 } stored && ChecksumFile.IsSha256(digest)
                ? stored : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
