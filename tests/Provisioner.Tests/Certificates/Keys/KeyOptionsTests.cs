using Provisioner.Certificates.Keys;
using Provisioner.Resources;

namespace Provisioner.Tests.Certificates.Keys;

public sealed class KeyOptionsTests
{
    [Fact]
    public void Reads_where_keys_are_kept()
    {
        Assert.Equal(new KeyOptions { PassphraseFile = "/etc/p" }, Read("passphraseFile: /etc/p", out _));
        Assert.Equal(
            new KeyOptions { Pkcs11 = new Pkcs11Options("/usr/lib/softhsm/libsofthsm2.so") { Token = "ca", PinFile = "/etc/pin" } },
            Read("pkcs11: { library: /usr/lib/softhsm/libsofthsm2.so, token: ca, pinFile: /etc/pin }", out _));
    }

    [Theory]
    [InlineData("passphraseFile: etc/p", "passphraseFile", "is not an absolute path")]
    [InlineData("pkcs11: { token: ca }", "pkcs11.library", "missing")]
    [InlineData("pkcs11: { library: /l.so }", "pkcs11.token", "no token is named")]
    public void Says_what_is_wrong(string text, string key, string reason)
    {
        Read(text, out var mistakes);
        Assert.Contains(mistakes, m => m.Contains(key, StringComparison.Ordinal) && m.Contains(reason, StringComparison.Ordinal));
    }

    private static KeyOptions? Read(string text, out List<string> mistakes)
    {
        var shape = new Shape<KeyOptions>("ca", () => new KeyOptions());
        KeyFields.Declare(shape, o => o, (_, v) => v);
        var reading = new Reading();
        KeyOptions? read = null;
        YamlText.Read(text, reading, node => shape.TryRead(node, "", reading, out read));
        mistakes = [.. reading.Mistakes.Select(m => m.ToString())];
        return read;
    }
}
