namespace Provisioner.Certificates.Keys;

/// <summary>What the files of keys are encrypted with, and where it comes from: the configuration, a credential of systemd, or made here once.</summary>
internal static class Passphrase
{
    public const string Credential = "ca-passphrase";
    public const string ConfigurationKey = "ca.passphraseFile";

    private const string What = "The CA's passphrase";

    /// <param name="configured">The file that <see cref="ConfigurationKey"/> names, or null. It goes before everything else.</param>
    /// <param name="credentials">The directory systemd names in <c>CREDENTIALS_DIRECTORY</c>, or null.</param>
    /// <param name="own">The file the appliance makes itself when nothing else is said.</param>
    /// <param name="keysExist">There are keys already: a passphrase made now would open none of them.</param>
    /// <exception cref="KeyStoreException">There is none that can be used; says what to do.</exception>
    public static Secret Find(string? configured, string? credentials, string own, bool keysExist)
    {
        if (configured is not null)
            return Secret.Read(configured, What, $"Bring it back from your backup of it, or correct '{ConfigurationKey}' in the configuration.");
        if (CredentialFile(credentials, Credential) is { } credential)
            return Secret.Read(credential, What, $"Correct LoadCredential={Credential}:… in the service's unit.", isCredential: true);
        if (File.Exists(own) || !keysExist)
            return File.Exists(own) ? Secret.Read(own, What, "") : Secret.Make(own, What);
        throw new KeyStoreException($"{What} '{own}' is missing, and without it the CA's key cannot be opened. "
            + $"Bring '{own}' back from the same backup as the keys beside it; if the passphrase was a file or a credential of yours, name it again by '{ConfigurationKey}' in the configuration or LoadCredential={Credential}:… in the service's unit. "
            + "No new passphrase is made while there are keys.");
    }

    /// <summary>The file of a credential, or null when the service was given none by that name (systemd.exec(5), Credentials).</summary>
    internal static string? CredentialFile(string? directory, string name) =>
        !string.IsNullOrEmpty(directory) && Path.Combine(directory, name) is var file && Path.Exists(file) ? file : null;
}

/// <summary>The PIN of the user of a PKCS#11 token. There is no default: it was chosen when the token was set up.</summary>
internal static class TokenPin
{
    public const string Credential = "ca-pin";
    public const string ConfigurationKey = "ca.pkcs11.pinFile";

    private const string What = "The token's PIN";

    /// <exception cref="KeyStoreException">There is none that can be used; says what to do.</exception>
    public static Secret Find(string? configured, string? credentials)
    {
        if (configured is not null)
            return Secret.Read(configured, What, $"Write the PIN into it, for the service's user alone (mode 0600), or correct '{ConfigurationKey}' in the configuration.");
        if (Passphrase.CredentialFile(credentials, Credential) is { } credential)
            return Secret.Read(credential, What, "", isCredential: true);
        throw new KeyStoreException($"{What} is not known: name a file with it by '{ConfigurationKey}' in the configuration, or give the service a credential by LoadCredential={Credential}:… in its unit.");
    }
}
