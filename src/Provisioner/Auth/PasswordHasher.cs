using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Org.BouncyCastle.Crypto.Generators;
using Org.BouncyCastle.Crypto.Parameters;

namespace Provisioner.Auth;

/// <summary>What one hash costs.</summary>
/// <param name="MemoryKiB">Each guess needs so much memory.</param>
/// <param name="Passes">Over that memory.</param>
internal sealed record PasswordCost(int MemoryKiB, int Passes)
{
    /// <summary>The OWASP Password Storage Cheat Sheet's first choice for Argon2id.</summary>
    public static PasswordCost Default { get; } = new(19 * 1024, 2);
}

/// <summary>
/// Argon2id (RFC 9106), written as its reference implementation writes it: <c>$argon2id$v=19$m=…,t=…,p=1$salt$hash</c>. Each hash carries its
/// cost, so that it can be raised later.
/// </summary>
internal sealed class PasswordHasher(PasswordCost cost) : IDisposable
{
    private const int SaltLength = 16, HashLength = 32;

    /// <summary>Hashes at one time, whoever asks: a flood of sign-ins takes its turn and neither memory nor every core.</summary>
    private readonly SemaphoreSlim turns = new(Math.Max(1, Environment.ProcessorCount / 2));

    /// <summary>What a name that is nobody's is compared with, so that it takes as long as one that is.</summary>
    private readonly Lazy<string> nobody = new(() => Write(cost, RandomNumberGenerator.GetBytes(SaltLength), RandomNumberGenerator.GetBytes(HashLength)));

    public async Task<string> HashAsync(string password, CancellationToken ct)
    {
        var salt = RandomNumberGenerator.GetBytes(SaltLength);
        return Write(cost, salt, await RunAsync(password, cost, salt, ct));
    }

    /// <param name="hash">Null for a name without a password: false, after the same time.</param>
    public async Task<bool> MatchesAsync(string password, string? hash, CancellationToken ct)
    {
        var (used, salt, expected) = Parse(hash ?? nobody.Value);
        var computed = await RunAsync(password, used, salt, ct);
        return CryptographicOperations.FixedTimeEquals(computed, expected) && hash is not null;
    }

    /// <summary>Whether a hash was made at another cost than is asked for now.</summary>
    public bool IsOld(string hash) => Parse(hash).Cost != cost;

    public void Dispose() => turns.Dispose();

    private async Task<byte[]> RunAsync(string password, PasswordCost used, byte[] salt, CancellationToken ct)
    {
        await turns.WaitAsync(ct);
        try
        {
            return await Task.Run(() => Run(password, used, salt), ct);
        }
        finally
        {
            turns.Release();
        }
    }

    private static byte[] Run(string password, PasswordCost used, byte[] salt)
    {
        var argon2 = new Argon2BytesGenerator();
        argon2.Init(new Argon2Parameters.Builder(Argon2Parameters.Argon2id).WithVersion(Argon2Parameters.Version13)
            .WithSalt(salt).WithMemoryAsKB(used.MemoryKiB).WithIterations(used.Passes).WithParallelism(1).Build());
        var hash = new byte[HashLength];
        argon2.GenerateBytes(Encoding.UTF8.GetBytes(password), hash);
        return hash;
    }

    private static string Write(PasswordCost cost, byte[] salt, byte[] hash) => string.Create(CultureInfo.InvariantCulture,
        $"$argon2id$v=19$m={cost.MemoryKiB},t={cost.Passes},p=1${Convert.ToBase64String(salt).TrimEnd('=')}${Convert.ToBase64String(hash).TrimEnd('=')}");

    private static (PasswordCost Cost, byte[] Salt, byte[] Hash) Parse(string text)
    {
        if (text.Split('$') is not ["", "argon2id", "v=19", var parameters, var salt, var hash]
            || parameters.Split(',') is not [['m', '=', .. var memory], ['t', '=', .. var passes], "p=1"])
            throw new FormatException("The stored hash of a password is not Argon2id's.");
        return (new(int.Parse(memory, CultureInfo.InvariantCulture), int.Parse(passes, CultureInfo.InvariantCulture)), FromBase64(salt), FromBase64(hash));
    }

    private static byte[] FromBase64(string text) => Convert.FromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='));
}
