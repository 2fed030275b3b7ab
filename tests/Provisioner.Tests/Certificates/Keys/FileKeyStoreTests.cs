using System.Security.Cryptography;
using CsCheck;
using Provisioner.Certificates.Keys;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Storage;

namespace Provisioner.Tests.Certificates.Keys;

public sealed class FileKeyStoreTests : IDisposable
{
    private const string Openssl = "/usr/bin/openssl";
    private const UnixFileMode Mode600 = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly TemporaryDirectory directory = new();

    private string Keys => directory["keys"];

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData(KeyAlgorithm.EcP256)]
    [InlineData(KeyAlgorithm.EcP384)]
    [InlineData(KeyAlgorithm.Rsa3072)]
    public void Makes_a_key_that_OpenSSL_opens_and_whose_work_it_accepts(KeyAlgorithm algorithm)
    {
        Tool.SkipWithout(Openssl);
        using var store = Store();
        using (var made = store.Create(algorithm, "01AB"))
        {
            Assert.Equal((algorithm, "01AB"), (made.Algorithm, made.Id));
            OpensslVerdict.Accepts(made, directory.Path);
        }
        Assert.True(store.Exists("01AB"));
        var path = Path.Combine(Keys, "01AB.key");
        Assert.Equal(Mode600, File.GetUnixFileMode(path));
        Assert.Equal(Mode600 | UnixFileMode.UserExecute, File.GetUnixFileMode(Keys));
        Assert.Equal([path], Directory.GetFileSystemEntries(Keys));

        using var opened = store.Open("01AB");
        var shown = PemEncoding.WriteString("PUBLIC KEY", opened.PublicKey.ExportSubjectPublicKeyInfo());
        Assert.Equal(shown, Tool.Run(Openssl, "pkey", "-in", path, "-passin", $"file:{directory["passphrase"]}", "-pubout").TrimEnd());
        var how = Tool.Run(Openssl, "asn1parse", "-in", path);
        Assert.All(["PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc", ":0927C0" /* 600,000 */], part => Assert.Contains(part, how, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("EC -pkeyopt ec_paramgen_curve:P-256", KeyAlgorithm.EcP256)]
    [InlineData("EC -pkeyopt ec_paramgen_curve:P-384", KeyAlgorithm.EcP384)]
    [InlineData("RSA -pkeyopt rsa_keygen_bits:3072", KeyAlgorithm.Rsa3072)]
    public void Opens_a_key_that_OpenSSL_made(string kind, KeyAlgorithm algorithm)
    {
        using var store = Store();
        Generate(kind, "brought");
        using var opened = store.Open("brought");
        Assert.Equal(algorithm, opened.Algorithm);
        OpensslVerdict.Accepts(opened, directory.Path);
    }

    [Theory]
    [InlineData("EC -pkeyopt ec_paramgen_curve:P-521", "is an EC key on the curve")]
    [InlineData("RSA -pkeyopt rsa_keygen_bits:2048", "is an RSA key of 2048 bits")]
    public void Refuses_other_kinds_of_key(string kind, string reason)
    {
        using var store = Store();
        Generate(kind, "brought");
        Assert.Contains(reason, Refused(store, "brought"), StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_to_write_over_a_key()
    {
        using var store = Store();
        store.Create(KeyAlgorithm.EcP256, "one").Dispose();
        var before = File.ReadAllBytes(Path.Combine(Keys, "one.key"));
        Assert.Contains("a key is never written over", Assert.Throws<KeyStoreException>(() => store.Create(KeyAlgorithm.EcP256, "one")).Message, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(Path.Combine(Keys, "one.key")));
    }

    [Fact]
    public void Deletes_a_key_and_does_not_mind_that_it_is_gone()
    {
        using var store = Store();
        store.Delete("one");
        store.Create(KeyAlgorithm.EcP256, "one").Dispose();
        store.Delete("one");
        store.Delete("one");
        Assert.False(store.Exists("one"));
        Assert.Empty(Directory.GetFileSystemEntries(Keys));
    }

    [Fact]
    public void Says_which_key_is_missing()
    {
        using var store = Store();
        var refused = Refused(store, "one");
        Assert.Contains($"'{Path.Combine(Keys, "one.key")}' is missing. Bring it back from a backup", refused, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_another_passphrase()
    {
        using (var store = Store())
            store.Create(KeyAlgorithm.EcP256, "one").Dispose();
        using var other = new FileKeyStore(Keys, Passphrase("another horse"));
        var refused = Refused(other, "one");
        Assert.Contains($"'{Path.Combine(Keys, "one.key")}' is not opened by the passphrase from the file '{directory["passphrase"]}'", refused, StringComparison.Ordinal);
        Assert.DoesNotContain("horse", refused, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_a_key_that_others_can_read_and_a_directory_that_others_can_use()
    {
        using var store = Store();
        store.Create(KeyAlgorithm.EcP256, "one").Dispose();
        var path = Path.Combine(Keys, "one.key");
        File.SetUnixFileMode(path, Mode600 | UnixFileMode.GroupRead);
        Assert.Contains($"'{path}' is open to others (mode 0640)", Refused(store, "one"), StringComparison.Ordinal);
        File.SetUnixFileMode(path, Mode600);
        store.Open("one").Dispose();
        File.SetUnixFileMode(Keys, (UnixFileMode)0b111_010_000);
        Assert.Contains($"The directory '{Keys}' is open to others (mode 0720)", Refused(store, "one"), StringComparison.Ordinal);
        Assert.Contains("chmod 700", Assert.Throws<KeyStoreException>(() => store.Create(KeyAlgorithm.EcP256, "two")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_a_key_in_clear_text()
    {
        Tool.SkipWithout(Openssl);
        using var store = Store();
        Directory.CreateDirectory(Keys, Mode600 | UnixFileMode.UserExecute);
        var path = Path.Combine(Keys, "one.key");
        Tool.Run(Openssl, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path);
        Assert.Contains("is a key in clear text ('PRIVATE KEY'). Encrypt it", Refused(store, "one"), StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_a_damaged_key_wherever_the_damage_is()
    {
        using var store = Store();
        store.Create(KeyAlgorithm.EcP256, "one").Dispose();
        var path = Path.Combine(Keys, "one.key");
        var whole = File.ReadAllText(path);
        var content = Convert.FromBase64String(whole[PemEncoding.Find(whole).Base64Data]);

        Write(path, whole[..(whole.Length / 2)]);
        Assert.Contains("is damaged: it is not PEM text", Refused(store, "one"), StringComparison.Ordinal);
        Write(path, "");
        Assert.Contains("is damaged", Refused(store, "one"), StringComparison.Ordinal);
        Write(path, PemEncoding.WriteString("ENCRYPTED PRIVATE KEY", content.AsSpan(0, content.Length - 7)));
        Assert.Contains("is damaged: what is in it is not a whole encrypted key", Refused(store, "one"), StringComparison.Ordinal);
        Write(path, PemEncoding.WriteString("CERTIFICATE", content));
        Assert.Contains("is damaged: it is a 'CERTIFICATE'", Refused(store, "one"), StringComparison.Ordinal);
        Write(path, new string('x', 100_000));
        Assert.Contains("is 100000 bytes long", Refused(store, "one"), StringComparison.Ordinal);

        Write(path, whole);
        store.Open("one").Dispose();
    }

    [Fact]
    public void A_changed_byte_never_makes_another_key()
    {
        using var store = Store();
        Generate("EC -pkeyopt ec_paramgen_curve:P-256", "one"); // With few rounds, so that hundreds can be tried.
        var path = Path.Combine(Keys, "one.key");
        var whole = File.ReadAllText(path);
        var content = Convert.FromBase64String(whole[PemEncoding.Find(whole).Base64Data]);
        var shown = Opened(store);
        var taken = 0;
        for (var at = 0; at < content.Length; at++)
        {
            var damaged = content.ToArray();
            damaged[at] ^= 0x40;
            Write(path, PemEncoding.WriteString("ENCRYPTED PRIVATE KEY", damaged));
            if (Opened(store) is not { } other)
                continue;
            taken++;
            Assert.Equal(shown, other);
        }
        // In the initialisation vector it turns a bit of the first block, where PKCS#8 has its version, which .NET does not look at.
        Assert.InRange(taken, 0, 1);
    }

    [Fact]
    public void Never_fails_but_by_saying_why()
    {
        using var store = Store();
        Directory.CreateDirectory(Keys, Mode600 | UnixFileMode.UserExecute);
        var path = Path.Combine(Keys, "one.key");
        Gen.Select(Gen.Byte.Array[0, 200], Gen.Bool).Sample((bytes, armoured) =>
        {
            Write(path, armoured ? PemEncoding.WriteString("ENCRYPTED PRIVATE KEY", bytes) : System.Text.Encoding.Latin1.GetString(bytes));
            Refused(store, "one");
        }, iter: 500, threads: 1);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("../one")]
    [InlineData("one/two")]
    [InlineData("-one")]
    [InlineData("one.key")]
    [InlineData("o\0ne")]
    [InlineData("öne")]
    public void Takes_no_id_that_could_be_a_path(string id)
    {
        using var store = Store();
        Assert.Throws<ArgumentException>(() => store.Open(id));
        Assert.Throws<ArgumentException>(() => store.Create(KeyAlgorithm.EcP256, id));
        Assert.Throws<ArgumentException>(() => store.Delete(id));
        Assert.Throws<ArgumentException>(() => store.Exists(id));
    }

    [Fact]
    public void What_a_crash_left_is_no_key_and_goes_away()
    {
        using var store = Store();
        store.Create(KeyAlgorithm.EcP256, "zero").Dispose();
        var whole = File.ReadAllText(Path.Combine(Keys, "zero.key"));
        Write(Path.Combine(Keys, ".one.key.0123456789abcdef.tmp"), whole[..100]);
        Assert.False(store.Exists("one"));
        Assert.Contains("is missing", Refused(store, "one"), StringComparison.Ordinal);
        store.Create(KeyAlgorithm.EcP256, "one").Dispose();
        Assert.Equal(["one.key", "zero.key"], Directory.GetFiles(Keys).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_process_killed_while_it_writes_keys_leaves_whole_ones_only()
    {
        using var store = Store();
        Directory.CreateDirectory(Keys, Mode600 | UnixFileMode.UserExecute);
        for (var round = 0; round < 4; round++)
        {
            // Each round is killed at the first sign of a key on its way: its file is made, and being written, synced or renamed.
            using var made = new FileSystemWatcher(Keys) { NotifyFilter = NotifyFilters.FileName };
            var appeared = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using var child = ChildProcess.Start("create-keys", Keys, directory["passphrase"], $"{round}");
            made.Created += (_, _) =>
            {
                child.Kill();
                appeared.TrySetResult();
            };
            made.EnableRaisingEvents = true;
            try
            {
                await appeared.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
            }
            finally
            {
                child.Kill();
                await child.WaitForExitAsync(TestContext.Current.CancellationToken);
            }
            foreach (var file in Directory.GetFiles(Keys, "*.key"))
            {
                if (!Path.GetFileName(file).StartsWith('.'))
                    store.Open(Path.GetFileNameWithoutExtension(file)).Dispose();
            }
        }
        store.Create(KeyAlgorithm.EcP256, "after").Dispose();
        Assert.Empty(Directory.GetFiles(Keys, "*.tmp"));
    }

    [Fact]
    public void Many_threads_may_sign_with_one_key()
    {
        using var store = Store();
        using var key = store.Create(KeyAlgorithm.EcP256, "one");
        using var shown = key.PublicKey.GetECDsaPublicKey()!;
        Parallel.For(0, 200, i =>
        {
            var data = BitConverter.GetBytes(i);
            var signature = key.Generator.SignData(data, key.Hash);
            lock (shown)
                Assert.True(shown.VerifyData(data, signature, key.Hash, DSASignatureFormat.Rfc3279DerSequence));
        });
    }

    [Fact]
    public void The_appliance_finds_its_keys_again_after_a_start()
    {
        byte[] shown;
        using (var store = KeyStores.Open(directory["data"], new KeyOptions(), credentials: null))
        {
            Assert.Equal("file", store.Kind);
            using var key = store.Create(KeyAlgorithm.EcP384, "one");
            shown = key.PublicKey.ExportSubjectPublicKeyInfo();
        }
        using (var store = KeyStores.Open(directory["data"], new KeyOptions(), credentials: null))
        using (var key = store.Open("one"))
            Assert.Equal(shown, key.PublicKey.ExportSubjectPublicKeyInfo());
        File.Delete(directory["data/ca/passphrase"]);
        Assert.Contains("No new passphrase is made while there are keys",
            Assert.Throws<KeyStoreException>(() => KeyStores.Open(directory["data"], new KeyOptions(), credentials: null)).Message, StringComparison.Ordinal);
    }

    private static byte[]? Opened(FileKeyStore store)
    {
        try
        {
            using var key = store.Open("one");
            return key.PublicKey.ExportSubjectPublicKeyInfo();
        }
        catch (KeyStoreException)
        {
            return null;
        }
    }

    private static string Refused(FileKeyStore store, string id) => Assert.Throws<KeyStoreException>(() => store.Open(id).Dispose()).Message;

    private static void Write(string path, string text)
    {
        File.WriteAllText(path, text, System.Text.Encoding.Latin1);
        File.SetUnixFileMode(path, Mode600);
    }

    private FileKeyStore Store() => new(Keys, Passphrase("correct horse battery staple"));

    private Secret Passphrase(string text)
    {
        Write(directory["passphrase"], text + "\n");
        return Secret.Read(directory["passphrase"], "The passphrase", "");
    }

    private void Generate(string kind, string id)
    {
        Tool.SkipWithout(Openssl);
        Directory.CreateDirectory(Keys, Mode600 | UnixFileMode.UserExecute);
        var path = Path.Combine(Keys, id + ".key");
        Tool.Run(Openssl, ["genpkey", "-algorithm", .. kind.Split(' '), "-out", directory["clear"]]);
        Tool.Run(Openssl, "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256", "-iter", "1000",
            "-in", directory["clear"], "-out", path, "-passout", $"file:{directory["passphrase"]}");
        File.SetUnixFileMode(path, Mode600);
    }
}
