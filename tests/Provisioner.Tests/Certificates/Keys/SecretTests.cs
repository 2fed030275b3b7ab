using Provisioner.Certificates.Keys;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Certificates.Keys;

public sealed class SecretTests : IDisposable
{
    private const UnixFileMode Mode600 = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData("swordfish", "swordfish")]
    [InlineData("swordfish\n", "swordfish")]
    [InlineData("swordfish\r\n", "swordfish")]
    [InlineData(" spaces count \n", " spaces count ")]
    [InlineData("schlüssel\n", "schlüssel")]
    public void Reads_one_line_without_its_end(string text, string secret)
    {
        using var read = Secret.Read(Write("secret", text), "The secret", "");
        Assert.Equal(secret, System.Text.Encoding.UTF8.GetString(read.Bytes));
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("\n", "is empty")]
    [InlineData("\r\n", "is empty")]
    [InlineData("one\ntwo\n", "has more than one line")]
    [InlineData("one\n\n", "has more than one line")]
    [InlineData("zero\0byte", "has more than one line, or a zero byte")]
    public void Refuses_what_is_no_line(string text, string reason)
    {
        var refused = Refused("secret", text);
        Assert.Contains($"The secret '{directory["secret"]}' {reason}", refused, StringComparison.Ordinal);
    }

    [Fact]
    public void Takes_4096_bytes_and_no_more()
    {
        using (var longest = Secret.Read(Write("longest", new string('x', 4096) + "\r\n"), "The secret", ""))
            Assert.Equal(4096, longest.Bytes.Length);
        Assert.Contains("is 4097 bytes long, more than the 4096 it may have", Refused("longer", new string('x', 4097)), StringComparison.Ordinal);
        Assert.Contains("is 9000 bytes long, more than the", Refused("longest-yet", new string('x', 9000)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0b110_100_000, "0640")]
    [InlineData(0b110_000_100, "0604")]
    [InlineData(0b110_010_000, "0620")]
    [InlineData(0b110_000_001, "0601")]
    public void Refuses_a_file_that_others_can_use(int mode, string octal)
    {
        var path = Write("secret", "swordfish", (UnixFileMode)mode);
        var refused = Assert.Throws<KeyStoreException>(() => Secret.Read(path, "The secret", "")).Message;
        Assert.Contains($"'{path}' is open to others (mode {octal})", refused, StringComparison.Ordinal);
        Assert.Contains($"chmod 600 '{path}'", refused, StringComparison.Ordinal);
    }

    [Fact]
    public void Reads_a_file_of_mode_0400_and_through_a_link()
    {
        File.CreateSymbolicLink(directory["link"], Write("secret", "swordfish", UnixFileMode.UserRead));
        using var read = Secret.Read(directory["link"], "The secret", "");
        Assert.Equal("swordfish"u8, read.Bytes);
    }

    [Fact]
    public void Refuses_what_is_no_file_and_does_not_wait_for_it()
    {
        Assert.Contains("is not a file", Assert.Throws<KeyStoreException>(() => Secret.Read(directory.Path, "The secret", "")).Message, StringComparison.Ordinal);
        Tool.Run("mkfifo", "-m", "600", directory["pipe"]);
        Assert.Contains("is not a file", Assert.Throws<KeyStoreException>(() => Secret.Read(directory["pipe"], "The secret", "")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_a_file_of_another_user()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can give a file away");
        Tool.Run("chown", "65534", Write("secret", "swordfish"));
        var refused = Assert.Throws<KeyStoreException>(() => Secret.Read(directory["secret"], "The secret", "")).Message;
        Assert.Contains("belongs to the user 65534, who could change it; the service runs as 0. Run: chown 0", refused, StringComparison.Ordinal);
    }

    [Fact]
    public void Says_what_to_do_about_a_missing_file() =>
        Assert.Equal($"The secret '{directory["none"]}' is missing. Look under the mat.",
            Assert.Throws<KeyStoreException>(() => Secret.Read(directory["none"], "The secret", "Look under the mat.")).Message);

    [Fact]
    public void A_credential_of_systemd_shows_its_access_list_as_group_permission()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root's file may be so");
        var path = Write("ca-passphrase", "swordfish", (UnixFileMode)0b100_100_000);
        using (var read = Secret.Read(path, "The secret", "", isCredential: true))
            Assert.Equal("swordfish"u8, read.Bytes);
        Assert.Throws<KeyStoreException>(() => Secret.Read(path, "The secret", ""));
        File.SetUnixFileMode(path, (UnixFileMode)0b100_100_100);
        Assert.Throws<KeyStoreException>(() => Secret.Read(path, "The secret", "", isCredential: true));
    }

    [Fact]
    public void Is_zeroed_when_disposed_and_shows_itself_nowhere()
    {
        var secret = Secret.Read(Write("secret", "swordfish"), "The secret", "");
        var memory = secret.Bytes;
        Assert.DoesNotContain("swordfish", $"{secret}", StringComparison.Ordinal);
        secret.Dispose();
        Assert.Equal(new byte[9], memory.ToArray());
        Assert.Throws<ObjectDisposedException>(() => secret.Bytes.Length);
    }

    [Fact]
    public void Makes_one_that_nobody_knows_once()
    {
        var own = directory["ca/passphrase"];
        using var made = Passphrase.Find(null, null, own, keysExist: false);
        Assert.Equal(32, Convert.FromBase64String(System.Text.Encoding.ASCII.GetString(made.Bytes)).Length);
        Assert.Equal(Mode600, File.GetUnixFileMode(own));
        Assert.Equal(Mode600 | UnixFileMode.UserExecute, File.GetUnixFileMode(directory["ca"]));
        using var again = Passphrase.Find(null, null, own, keysExist: true);
        Assert.Equal(made.Bytes, again.Bytes);
        using var other = Passphrase.Find(null, null, directory["other/passphrase"], keysExist: false);
        Assert.NotEqual(made.Bytes.ToArray(), other.Bytes.ToArray());
    }

    [Fact]
    public void Never_makes_one_beside_keys()
    {
        var own = directory["ca/passphrase"];
        var refused = Assert.Throws<KeyStoreException>(() => Passphrase.Find(null, directory["no-credentials"], own, keysExist: true)).Message;
        Assert.Contains($"'{own}' is missing, and without it the CA's key cannot be opened", refused, StringComparison.Ordinal);
        Assert.Contains($"Bring '{own}' back from the same backup", refused, StringComparison.Ordinal);
        Assert.False(Path.Exists(own));
    }

    [Fact]
    public void The_configured_file_goes_before_the_credential_and_that_before_the_own_one()
    {
        var configured = Write("configured", "configured");
        Directory.CreateDirectory(directory["credentials"]);
        Write("credentials/ca-passphrase", "credential", UnixFileMode.UserRead);
        var own = Write("own", "own");
        Assert.Equal("configured", Found(configured, directory["credentials"]));
        Assert.Equal("credential", Found(null, directory["credentials"]));
        Assert.Equal("own", Found(null, null));
        Assert.Equal("own", Found(null, directory.Path));
        Assert.Contains("correct 'ca.passphraseFile' in the configuration",
            Assert.Throws<KeyStoreException>(() => Found(directory["gone"], directory["credentials"])).Message, StringComparison.Ordinal);

        string Found(string? file, string? credentials)
        {
            using var secret = Passphrase.Find(file, credentials, own, keysExist: true);
            return System.Text.Encoding.ASCII.GetString(secret.Bytes);
        }
    }

    [Fact]
    public void A_PIN_has_no_default()
    {
        Assert.Contains("'ca.pkcs11.pinFile'", Assert.Throws<KeyStoreException>(() => TokenPin.Find(null, null)).Message, StringComparison.Ordinal);
        Write("ca-pin", "1234\n");
        using var pin = TokenPin.Find(null, directory.Path);
        Assert.Equal("1234"u8, pin.Bytes);
    }

    private string Write(string name, string text, UnixFileMode mode = Mode600)
    {
        File.WriteAllText(directory[name], text);
        File.SetUnixFileMode(directory[name], mode);
        return directory[name];
    }

    private string Refused(string name, string text)
    {
        var refused = Assert.Throws<KeyStoreException>(() => Secret.Read(Write(name, text), "The secret", "")).Message;
        Assert.False(text.Length > 1 && refused.Contains(text, StringComparison.Ordinal), "the secret is in the message");
        return refused;
    }
}
