using Provisioner.Certificates.Keys;

namespace Provisioner.Certificates;

/// <summary>
/// The stores of the authorities' keys: files, and a token when one is configured. Both at once while hosts move from an authority in
/// the one to an authority in the other, which is a rotation like any other.
/// </summary>
/// <param name="rounds">As <see cref="FileKeyStore"/> takes them.</param>
internal sealed class AuthorityKeys(KeyOptions options, string dataDirectory, int rounds = FileKeyStore.Rounds) : IDisposable
{
    private const string FileKind = "file";

    private readonly Lock gate = new();
    private IKeyStore? files;
    private IKeyStore? token;

    /// <summary>Where new keys are made.</summary>
    /// <exception cref="KeyStoreException">It cannot be opened; says what to do.</exception>
    public IKeyStore Default => options.Pkcs11 is null ? Files : Token;

    /// <param name="kind">As <see cref="Authority.KeyStore"/> says.</param>
    /// <exception cref="KeyStoreException">It cannot be opened, or is not configured any more.</exception>
    public IKeyStore StoreOf(string kind) => kind == FileKind ? Files
        : options.Pkcs11 is null ? throw new KeyStoreException("The authority's key is in a token, and no token is configured: set 'ca.pkcs11' again, until the authority is retired.")
        : Token;

    public void Dispose()
    {
        files?.Dispose();
        token?.Dispose();
    }

    private IKeyStore Files
    {
        get
        {
            lock (gate)
                return files ??= KeyStores.Open(dataDirectory, options with { Pkcs11 = null }, rounds);
        }
    }

    private IKeyStore Token
    {
        get
        {
            lock (gate)
                return token ??= KeyStores.Open(dataDirectory, options);
        }
    }
}
