using System.Security.Cryptography;
using Net.Pkcs11Interop.Common;
using Provisioner.Certificates.Keys;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Certificates.Keys;

public sealed class Pkcs11KeyStoreTests : IClassFixture<SoftHsm>, IDisposable
{
    private readonly SoftHsm hsm;
    private readonly TemporaryDirectory directory = new();

    public Pkcs11KeyStoreTests(SoftHsm hsm)
    {
        Tool.SkipWithout(SoftHsm.Library, "/usr/bin/softhsm2-util", "/usr/bin/pkcs11-tool", "/usr/bin/openssl");
        this.hsm = hsm;
    }

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData(KeyAlgorithm.EcP256)]
    [InlineData(KeyAlgorithm.EcP384)]
    [InlineData(KeyAlgorithm.Rsa3072)]
    public void Makes_a_key_whose_work_OpenSSL_accepts_and_that_stays_on_the_token(KeyAlgorithm algorithm)
    {
        var label = $"makes {algorithm}";
        hsm.Initialise(label);
        byte[] shown;
        using (var store = SoftHsm.Open(label))
        {
            Assert.Equal("pkcs11", store.Kind);
            Assert.False(store.Exists("01AB"));
            using var made = store.Create(algorithm, "01AB");
            Assert.Equal((algorithm, "01AB"), (made.Algorithm, made.Id));
            OpensslVerdict.Accepts(made, directory.Path);
            shown = made.PublicKey.ExportSubjectPublicKeyInfo();
            // Asked as the logged-in user, in the very session's process: the token does not give the secret part away.
            Assert.True(SoftHsm.Hides(label, "01AB", algorithm == KeyAlgorithm.Rsa3072 ? CKA.CKA_PRIVATE_EXPONENT : CKA.CKA_VALUE));
            Assert.False(SoftHsm.Hides(label, "01AB", CKA.CKA_LABEL));
        }
        using (var store = SoftHsm.Open(label))
        using (var opened = store.Open("01AB"))
        {
            Assert.True(store.Exists("01AB"));
            Assert.Equal(shown, opened.PublicKey.ExportSubjectPublicKeyInfo());
            OpensslVerdict.Accepts(opened, directory.Path);
        }

        var privateKey = hsm.Pkcs11Tool(label, "--list-objects", "--type", "privkey");
        Assert.Contains("label:      01AB", privateKey, StringComparison.Ordinal);
        Assert.Contains("ID:         30314142", privateKey, StringComparison.Ordinal);
        Assert.Contains("Access:     sensitive, always sensitive, never extractable, local", privateKey, StringComparison.Ordinal);
        Assert.Contains("Usage:      sign\n", privateKey, StringComparison.Ordinal);
        if (algorithm == KeyAlgorithm.EcP384)
            return; // OpenSC 0.23 cannot read a public key on P-384, its own neither: "cannot create EVP_PKEY".
        hsm.Pkcs11Tool(label, "--read-object", "--type", "pubkey", "--id", "30314142", "--output-file", directory["shown"]);
        Assert.Equal(shown, File.ReadAllBytes(directory["shown"]));
    }

    [Theory]
    [InlineData("EC:secp256r1", KeyAlgorithm.EcP256)]
    [InlineData("EC:secp384r1", KeyAlgorithm.EcP384)]
    [InlineData("rsa:3072", KeyAlgorithm.Rsa3072)]
    public void Uses_a_key_that_another_tool_made(string kind, KeyAlgorithm algorithm)
    {
        var label = $"brought {algorithm}";
        hsm.Initialise(label);
        hsm.Pkcs11Tool(label, "--keypairgen", "--key-type", kind, "--id", "30314142", "--label", "any");
        using var store = SoftHsm.Open(label);
        using var opened = store.Open("01AB");
        Assert.Equal(algorithm, opened.Algorithm);
        OpensslVerdict.Accepts(opened, directory.Path);
    }

    [Theory]
    [InlineData("EC:secp521r1", "is on the curve 1.3.132.0.35")]
    [InlineData("rsa:2048", "is an RSA key of 2048 bits")]
    public void Refuses_other_kinds_of_key(string kind, string reason)
    {
        var label = $"other {kind}";
        hsm.Initialise(label);
        hsm.Pkcs11Tool(label, "--keypairgen", "--key-type", kind, "--id", "30314142", "--label", "any");
        using var store = SoftHsm.Open(label);
        Assert.Contains(reason, Assert.Throws<KeyStoreException>(() => store.Open("01AB")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_a_library_that_is_missing_or_none()
    {
        var missing = Assert.Throws<KeyStoreException>(() => SoftHsm.Open(new Pkcs11Options(directory["libnone.so"]) { Token = "x" })).Message;
        Assert.Contains($"The PKCS#11 library '{directory["libnone.so"]}' is missing", missing, StringComparison.Ordinal);
        Assert.Contains("'ca.pkcs11.library'", missing, StringComparison.Ordinal);
        File.WriteAllText(directory["libtext.so"], "no library");
        Assert.Contains($"'{directory["libtext.so"]}' is not a PKCS#11 library", Assert.Throws<KeyStoreException>(() => SoftHsm.Open(new Pkcs11Options(directory["libtext.so"]) { Token = "x" })).Message, StringComparison.Ordinal);
        var other = Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "libSystem.Native.so");
        Assert.Contains($"'{other}' is not a PKCS#11 library", Assert.Throws<KeyStoreException>(() => SoftHsm.Open(new Pkcs11Options(other) { Token = "x" })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Lists_the_tokens_there_are_when_the_named_one_is_not()
    {
        hsm.Initialise("the real one");
        var refused = Assert.Throws<KeyStoreException>(() => SoftHsm.Open("the other one")).Message;
        Assert.Contains("There is no token 'the other one' behind", refused, StringComparison.Ordinal);
        Assert.Contains($"'the real one' (serial number '{hsm.SerialOf("the real one")}')", refused, StringComparison.Ordinal);
    }

    [Fact]
    public void Wants_the_serial_number_where_two_tokens_have_one_label()
    {
        hsm.Initialise("twin");
        using (var store = SoftHsm.Open("twin"))
            store.Create(KeyAlgorithm.EcP256, "first").Dispose();
        var serial = hsm.SerialOf("twin");
        hsm.Initialise("twin");
        Assert.Contains("There are 2 tokens 'twin'", Assert.Throws<KeyStoreException>(() => SoftHsm.Open("twin")).Message, StringComparison.Ordinal);
        using var chosen = SoftHsm.Open(new Pkcs11Options(SoftHsm.Library) { Serial = serial });
        Assert.True(chosen.Exists("first"));
        Assert.Contains($"no token 'twin' with the serial number 'beef'", Assert.Throws<KeyStoreException>(() => SoftHsm.Open(new Pkcs11Options(SoftHsm.Library) { Token = "twin", Serial = "beef" })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Tries_a_wrong_PIN_once()
    {
        hsm.Initialise("wrong pin");
        var refused = Assert.Throws<KeyStoreException>(() => SoftHsm.Open("wrong pin", "97531")).Message;
        Assert.Contains("The token 'wrong pin' refuses the PIN from the file", refused, StringComparison.Ordinal);
        Assert.Contains("(CKR_PIN_INCORRECT). It is not tried again", refused, StringComparison.Ordinal);
        Assert.DoesNotContain("97531", refused, StringComparison.Ordinal);
    }

    [Fact]
    public void Does_not_try_again_a_PIN_that_became_wrong()
    {
        hsm.Initialise("changed pin");
        using var store = SoftHsm.Open("changed pin");
        using var key = store.Create(KeyAlgorithm.EcP256, "one");
        SoftHsm.ChangePin("changed pin", SoftHsm.Pin, "111111");
        SoftHsm.CloseAllSessions("changed pin");
        Assert.Contains("CKR_PIN_INCORRECT", Assert.Throws<KeyStoreException>(() => key.Generator.SignData([1], key.Hash)).Message, StringComparison.Ordinal);
        // The PIN is right again, and would be taken: were it tried.
        SoftHsm.ChangePin("changed pin", "111111", SoftHsm.Pin);
        Assert.Contains("It is not tried again", Assert.Throws<KeyStoreException>(() => key.Generator.SignData([1], key.Hash)).Message, StringComparison.Ordinal);
        using var restarted = SoftHsm.Open("changed pin");
        restarted.Open("one").Dispose();
    }

    [Theory]
    [InlineData(0x00040000, "is locked, after too many wrong ones")] // CKF_USER_PIN_LOCKED
    [InlineData(0x00020000, "locks itself at the next wrong PIN")] // CKF_USER_PIN_FINAL_TRY
    public void Does_not_try_where_a_wrong_PIN_would_lock_or_did(int flag, string reason)
    {
        var label = $"flag {flag:X}";
        SetFlag(hsm.Initialise(label), flag);
        Assert.Contains(reason, Assert.Throws<KeyStoreException>(() => SoftHsm.Open(label)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Says_which_key_is_missing()
    {
        hsm.Initialise("missing key");
        using var store = SoftHsm.Open("missing key");
        var refused = Assert.Throws<KeyStoreException>(() => store.Open("01AB")).Message;
        Assert.Contains("The token 'missing key' has no private key with the id '01AB'", refused, StringComparison.Ordinal);
        store.Create(KeyAlgorithm.EcP256, "01AB").Dispose();
        hsm.Pkcs11Tool("missing key", "--delete-object", "--type", "pubkey", "--id", "30314142");
        Assert.Contains("has no public key with the id '01AB'", Assert.Throws<KeyStoreException>(() => store.Open("01AB")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_two_keys_with_one_id()
    {
        hsm.Initialise("two keys");
        hsm.Pkcs11Tool("two keys", "--keypairgen", "--key-type", "EC:secp256r1", "--id", "30314142", "--label", "a");
        hsm.Pkcs11Tool("two keys", "--keypairgen", "--key-type", "EC:secp256r1", "--id", "30314142", "--label", "b");
        using var store = SoftHsm.Open("two keys");
        Assert.Contains("has 2 private keys with the id '01AB'", Assert.Throws<KeyStoreException>(() => store.Open("01AB")).Message, StringComparison.Ordinal);
        Assert.Contains("has 2 private keys", Assert.Throws<KeyStoreException>(() => store.Delete("01AB")).Message, StringComparison.Ordinal);
        Assert.Contains("is never written over", Assert.Throws<KeyStoreException>(() => store.Create(KeyAlgorithm.EcP256, "01AB")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_halves_that_do_not_belong_together()
    {
        hsm.Initialise("mismatch");
        hsm.Pkcs11Tool("mismatch", "--keypairgen", "--key-type", "EC:secp256r1", "--id", "30314142", "--label", "a");
        hsm.Pkcs11Tool("mismatch", "--keypairgen", "--key-type", "EC:secp256r1", "--id", "55", "--label", "b");
        hsm.Pkcs11Tool("mismatch", "--delete-object", "--type", "pubkey", "--id", "30314142");
        hsm.Pkcs11Tool("mismatch", "--read-object", "--type", "pubkey", "--id", "55", "--output-file", directory["public"]);
        hsm.Pkcs11Tool("mismatch", "--write-object", directory["public"], "--type", "pubkey", "--id", "30314142", "--label", "a");
        using var store = SoftHsm.Open("mismatch");
        Assert.Contains("do not belong together", Assert.Throws<KeyStoreException>(() => store.Open("01AB")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Deletes_both_halves()
    {
        hsm.Initialise("deletes");
        using var store = SoftHsm.Open("deletes");
        store.Create(KeyAlgorithm.EcP256, "one").Dispose();
        store.Create(KeyAlgorithm.EcP256, "two").Dispose();
        store.Delete("one");
        store.Delete("one");
        Assert.False(store.Exists("one"));
        store.Open("two").Dispose();
        Assert.DoesNotContain("label:      one", hsm.Pkcs11Tool("deletes", "--list-objects"), StringComparison.Ordinal);
    }

    [Fact]
    public void Opens_a_lost_session_again()
    {
        hsm.Initialise("lost");
        using var store = SoftHsm.Open("lost");
        using var key = store.Create(KeyAlgorithm.EcP256, "one");
        using var shown = key.PublicKey.GetECDsaPublicKey()!;
        for (var i = 0; i < 3; i++)
        {
            SoftHsm.CloseAllSessions("lost");
            Assert.True(shown.VerifyData(new byte[] { 1 }, key.Generator.SignData([1], key.Hash), key.Hash, DSASignatureFormat.Rfc3279DerSequence));
        }
        SoftHsm.CloseAllSessions("lost");
        store.Create(KeyAlgorithm.Rsa3072, "two").Dispose();
        Assert.Equal(2, hsm.Pkcs11Tool("lost", "--list-objects", "--type", "privkey").Split("Private Key Object").Length - 1);
    }

    [Fact]
    public void Says_that_the_token_is_gone_and_finds_it_when_it_is_back()
    {
        var place = hsm.Initialise("gone");
        using var store = SoftHsm.Open("gone");
        using var key = store.Create(KeyAlgorithm.EcP256, "one");
        SoftHsm.CloseAllSessions("gone");
        Directory.Move(place, directory["unplugged"]);
        var refused = Assert.Throws<KeyStoreException>(() => key.Generator.SignData([1], key.Hash)).Message;
        Assert.StartsWith("There is no token 'gone' ", refused, StringComparison.Ordinal);
        Directory.Move(directory["unplugged"], place);
        Assert.NotEmpty(key.Generator.SignData([1], key.Hash));
    }

    [Fact]
    public void Many_threads_may_sign_with_keys_of_one_token()
    {
        hsm.Initialise("threads");
        using var store = SoftHsm.Open("threads");
        using var one = store.Create(KeyAlgorithm.EcP256, "one");
        using var two = store.Create(KeyAlgorithm.EcP384, "two");
        Parallel.For(0, 200, i =>
        {
            var key = i % 2 == 0 ? one : two;
            using var shown = key.PublicKey.GetECDsaPublicKey()!;
            Assert.True(shown.VerifyData(BitConverter.GetBytes(i), key.Generator.SignData(BitConverter.GetBytes(i), key.Hash), key.Hash, DSASignatureFormat.Rfc3279DerSequence));
        });
    }

    [Fact]
    public void Two_stores_share_the_library_and_one_outlives_the_other()
    {
        hsm.Initialise("shared a");
        hsm.Initialise("shared b");
        using var a = SoftHsm.Open("shared a");
        using (var b = SoftHsm.Open("shared b"))
            b.Create(KeyAlgorithm.EcP256, "one").Dispose();
        a.Create(KeyAlgorithm.EcP256, "one").Dispose();
    }

    [Fact]
    public void The_configuration_names_the_token()
    {
        hsm.Initialise("configured");
        File.WriteAllText(directory["ca-pin"], SoftHsm.Pin + "\n");
        File.SetUnixFileMode(directory["ca-pin"], UnixFileMode.UserRead);
        using var store = KeyStores.Open(directory["data"], new KeyOptions { Pkcs11 = SoftHsm.Options("configured") }, credentials: directory.Path);
        store.Create(KeyAlgorithm.EcP256, "one").Dispose();
        Assert.False(Path.Exists(directory["data"]));
    }

    /// <summary>SoftHSM never locks a token, so its file is told that another did: CKA_OS_TOKENFLAGS, a number of 8 bytes.</summary>
    private static void SetFlag(string token, int flag)
    {
        var path = Path.Combine(token, "token.object");
        var content = File.ReadAllBytes(path);
        ReadOnlySpan<byte> attribute = [0, 0, 0, 0, 0x80, 0, 0x53, 0x4B, 0, 0, 0, 0, 0, 0, 0, 2];
        var at = content.AsSpan().IndexOf(attribute);
        Assert.True(at > 0, "SoftHSM's file is not as it was");
        var flags = System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(content.AsSpan(at + 16)) | (uint)flag;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(content.AsSpan(at + 16), flags);
        File.WriteAllBytes(path, content);
    }
}
