using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Provisioner.Appliance;
using Provisioner.Storage;

namespace Provisioner.Api;

/// <summary>The answer an action was given.</summary>
/// <param name="Body">Null: it held a secret, which is kept nowhere.</param>
internal sealed record GivenAnswer(int Status, string? ContentType, byte[]? Body);

/// <summary>What is known of a request with an <c>Idempotency-Key</c> from before a restart.</summary>
/// <param name="Fingerprint">SHA-256 of the request.</param>
/// <param name="Answer">Null: the service ended while it was being done.</param>
internal sealed record KeptAnswer(string Fingerprint, DateTimeOffset At, GivenAnswer? Answer);

/// <summary>
/// A file for each request that was sent with an <c>Idempotency-Key</c>: on the disk before anything is done, and again with the answer, so that a
/// request that is repeated after the service was killed is not done twice.
/// </summary>
/// <remarks>For one request of a key at a time; who calls sees to that.</remarks>
internal sealed class KeptAnswers(ApplianceOptions options)
{
    private readonly string directory = Path.Combine(options.DataDirectory, "answers");

    /// <summary>What is kept of that key; null when nothing is.</summary>
    public KeptAnswer? Find(string actor, string key)
    {
        try
        {
            return JsonSerializer.Deserialize<KeptAnswer>(File.ReadAllBytes(PathOf(actor, key)));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new StoreException($"What is kept of a request with this key cannot be read, so it is not known whether it was done: {e.Message}", e);
        }
    }

    /// <summary>Keeps it; on the disk when it returns.</summary>
    /// <exception cref="StoreException">It cannot be written.</exception>
    public void Keep(string actor, string key, KeptAnswer kept)
    {
        try
        {
            Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            WholeFile.Write(PathOf(actor, key), JsonSerializer.SerializeToUtf8Bytes(kept), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"A request with a key cannot be kept: {e.Message}", e);
        }
    }

    public void Remove(string actor, string key)
    {
        try
        {
            File.Delete(PathOf(actor, key));
        }
        catch (DirectoryNotFoundException)
        {
            // Then it is not there either.
        }
    }

    /// <summary>Removes what is older than that.</summary>
    public void Forget(DateTimeOffset before)
    {
        if (!Directory.Exists(directory))
            return;
        foreach (var file in new DirectoryInfo(directory).EnumerateFiles())
        {
            if (file.LastWriteTimeUtc < before.UtcDateTime)
                file.Delete();
        }
    }

    // A key is whatever somebody sent; its digest is a file's name.
    private string PathOf(string actor, string key) => Path.Combine(directory, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{actor}\n{key}"))));
}

/// <summary>On an endpoint: its answer holds a secret that is in this answer and nowhere else.</summary>
internal sealed class SecretAnswer;
