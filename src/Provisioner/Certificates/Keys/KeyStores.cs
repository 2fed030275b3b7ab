namespace Provisioner.Certificates.Keys;

/// <summary>Opens the key store that the configuration names.</summary>
internal static class KeyStores
{
    /// <summary>systemd.exec(5), Credentials.</summary>
    private const string CredentialsVariable = "CREDENTIALS_DIRECTORY";

    /// <exception cref="KeyStoreException">It cannot be used; says what to do.</exception>
    public static IKeyStore Open(string dataDirectory, KeyOptions options, int rounds = FileKeyStore.Rounds) =>
        Open(dataDirectory, options, Environment.GetEnvironmentVariable(CredentialsVariable), rounds);

    /// <inheritdoc cref="Open(string, KeyOptions, int)"/>
    public static IKeyStore Open(string dataDirectory, KeyOptions options, string? credentials, int rounds = FileKeyStore.Rounds)
    {
        if (options.Pkcs11 is { } token)
            return new Pkcs11KeyStore(token, TokenPin.Find(token.PinFile, credentials));
        var directory = Path.Combine(Path.GetFullPath(dataDirectory), "ca");
        var keys = Path.Combine(directory, "keys");
        PrivateFile.PrepareDirectory(directory);
        PrivateFile.PrepareDirectory(keys);
        return new FileKeyStore(keys, Passphrase.Find(options.PassphraseFile, credentials, Path.Combine(directory, "passphrase"), FileKeyStore.HasKeys(keys)), rounds);
    }
}
