using System.Collections.Immutable;
using System.Security.Cryptography;

namespace Provisioner.Images;

/// <summary>What a check of an image's files found.</summary>
/// <param name="Image">Its name.</param>
/// <param name="Files">How many were read.</param>
/// <param name="Bytes">How much was read.</param>
/// <param name="Differences">One sentence for each file that is not as it was imported; empty when all are.</param>
internal sealed record ImageVerification(string Image, int Files, long Bytes, ImmutableArray<string> Differences)
{
    /// <summary>Reads every file of the image and compares it with what was registered at its import.</summary>
    public static async Task<ImageVerification> RunAsync(ImageStore store, Image image, CancellationToken cancellation)
    {
        if (store.DirectoryOf(image) is not { } directory)
            return new(image.Name, 0, 0, ["its files were never imported: provisioner image import PATH --name " + image.Name]);
        var differences = ImmutableArray.CreateBuilder<string>();
        long bytes = 0;
        foreach (var file in image.Status.Files)
        {
            var info = new FileInfo(store.PathOf(image, file));
            if (!info.Exists || info.LinkTarget is not null)
            {
                differences.Add($"'{file.Path}' is missing");
                continue;
            }
            if (info.Length != file.Size)
            {
                differences.Add($"'{file.Path}' has {info.Length} bytes instead of {file.Size}");
                continue;
            }
            try
            {
                await using var stream = new FileStream(info.FullName, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
                var hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellation));
                bytes += info.Length;
                if (hash != file.Sha256)
                    differences.Add($"'{file.Path}' has SHA-256 {hash} instead of {file.Sha256}");
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                differences.Add($"'{file.Path}' cannot be read: {exception.Message}");
            }
        }
        var known = image.Status.Files.Select(f => f.Path).ToHashSet(StringComparer.Ordinal);
        if (Directory.Exists(directory))
        {
            foreach (var path in Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Select(p => Path.GetRelativePath(directory, p)).Order(StringComparer.Ordinal))
            {
                if (!known.Contains(path))
                    differences.Add($"'{path}' was not imported and is never served");
            }
        }
        return new(image.Name, image.Status.Files.Length, bytes, differences.DrainToImmutable());
    }
}
