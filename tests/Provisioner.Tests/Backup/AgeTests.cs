using System.Security.Cryptography;
using System.Text;
using Provisioner.Backup.Age;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Certificates.Keys;

namespace Provisioner.Tests.Backup;

/// <summary>The format of age, against the program that defines it.</summary>
public sealed class AgeTests : IDisposable
{
    // Around the length of a piece: the last one may be full, and only nothing at all is an empty one.
    public static readonly TheoryData<int> Lengths = [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000];

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Theory]
    [MemberData(nameof(Lengths))]
    public async Task Age_opens_what_is_written_here(int length)
    {
        Tool.SkipWithout("/usr/bin/age", "/usr/bin/age-keygen");
        var recipient = MakeKey("key.txt");
        var plain = RandomNumberGenerator.GetBytes(length);
        await File.WriteAllBytesAsync(directory["file.age"], await EncryptAsync(plain, new AgeLock { Recipients = [AgeRecipient.TryParse(MakeKey("other.txt"))!, AgeRecipient.TryParse(recipient)!] }));
        Tool.Run("age", "-d", "-i", directory["key.txt"], "-o", directory["plain"], directory["file.age"]);
        // Of nothing, age makes no file.
        Assert.Equal(plain, File.Exists(directory["plain"]) ? await File.ReadAllBytesAsync(directory["plain"]) : []);
    }

    [Theory]
    [MemberData(nameof(Lengths))]
    public async Task What_age_writes_is_opened_here(int length)
    {
        Tool.SkipWithout("/usr/bin/age", "/usr/bin/age-keygen");
        var recipient = MakeKey("key.txt");
        var plain = RandomNumberGenerator.GetBytes(length);
        await File.WriteAllBytesAsync(directory["plain"], plain);
        Tool.Run("age", "-r", MakeKey("other.txt"), "-r", recipient, "-o", directory["file.age"], directory["plain"]);
        var identity = Assert.Single(AgeIdentity.ReadAll(await File.ReadAllTextAsync(directory["key.txt"]), "key.txt"));
        Assert.Equal(recipient, identity.Recipient.ToString());
        Assert.Equal(plain, await DecryptAsync(await File.ReadAllBytesAsync(directory["file.age"]), new AgeUnlock { Identities = [identity] }));
    }

    /// <summary>age asks on a terminal only: script(1) is one.</summary>
    [Fact]
    public async Task Age_opens_by_a_passphrase_what_is_written_here()
    {
        Tool.SkipWithout("/usr/bin/age", "/usr/bin/script");
        var plain = RandomNumberGenerator.GetBytes(100_000);
        await File.WriteAllBytesAsync(directory["file.age"], await EncryptAsync(plain, AgeLock.With("correct horse")));
        Assert.True(AgeHeader.WantsPassphrase(directory["file.age"]));
        Tool.Try("script", null, "correct horse\n", ["-qec", $"age -d -o '{directory["plain"]}' '{directory["file.age"]}'", "/dev/null"]);
        Assert.True(File.Exists(directory["plain"]), "age did not open it");
        Assert.Equal(plain, await File.ReadAllBytesAsync(directory["plain"]));
        Assert.Equal(plain, await DecryptAsync(await File.ReadAllBytesAsync(directory["file.age"]), AgeUnlock.With("correct horse")));
        var refused = await Assert.ThrowsAsync<AgeException>(() => DecryptAsync(File.ReadAllBytes(directory["file.age"]), AgeUnlock.With("wrong horse")));
        Assert.True(refused.IsWrongKey);
        Assert.Contains("the passphrase is not the one", refused.Message, StringComparison.Ordinal);
        Assert.Contains("none was given", (await Assert.ThrowsAsync<AgeException>(() => DecryptAsync(File.ReadAllBytes(directory["file.age"]), new AgeUnlock()))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_changed_byte_and_every_cut_is_noticed()
    {
        using var identity = new AgeIdentity(RandomNumberGenerator.GetBytes(32));
        var unlock = new AgeUnlock { Identities = [identity] };
        var file = await EncryptAsync(RandomNumberGenerator.GetBytes(70_000), new AgeLock { Recipients = [identity.Recipient] });
        var header = Encoding.Latin1.GetString(file).IndexOf("\n---", StringComparison.Ordinal) + 50;
        var places = Enumerable.Range(0, header + 20).Concat([file.Length / 2, header + 65_536 + 40, file.Length - 1]);
        foreach (var place in places)
        {
            var changed = file.ToArray();
            changed[place] ^= 1;
            await Assert.ThrowsAsync<AgeException>(() => DecryptAsync(changed, unlock));
        }
        foreach (var length in Enumerable.Range(0, header + 20).Concat([header + 65_536 + 30, file.Length - 1]))
            await Assert.ThrowsAsync<AgeException>(() => DecryptAsync(file[..length], unlock));
        // A piece cut off at its border, or something after the end.
        await Assert.ThrowsAsync<AgeException>(() => DecryptAsync(file[..(file.Length - (70_000 - 65_536) - 16)], unlock));
        await Assert.ThrowsAsync<AgeException>(() => DecryptAsync([.. file, 0], unlock));
        using var other = new AgeIdentity(RandomNumberGenerator.GetBytes(32));
        Assert.True((await Assert.ThrowsAsync<AgeException>(() => DecryptAsync(file, new AgeUnlock { Identities = [other] }))).IsWrongKey);
    }

    [Fact]
    public void Keys_are_read_as_age_keygen_writes_them()
    {
        Tool.SkipWithout("/usr/bin/age-keygen");
        var recipient = MakeKey("key.txt");
        Assert.Equal(recipient, AgeRecipient.TryParse($" {recipient}\n")!.ToString());
        foreach (var wrong in new[] { "", "age1", recipient[..^1], recipient[..^1] + (recipient[^1] == 'q' ? 'p' : 'q'), recipient.ToUpperInvariant()[..20] + recipient[20..], "ssh-ed25519 AAAA" })
            Assert.Null(AgeRecipient.TryParse(wrong));
        Assert.Contains("line 2 of keys", Assert.Throws<AgeException>(() => AgeIdentity.ReadAll("# a comment\nnonsense\n", "keys")).Message, StringComparison.Ordinal);
        Assert.Contains("holds no secret key", Assert.Throws<AgeException>(() => AgeIdentity.ReadAll("# none\n", "keys")).Message, StringComparison.Ordinal);
    }

    internal static async Task<byte[]> EncryptAsync(byte[] plain, AgeLock to)
    {
        var file = new MemoryStream();
        await using (var writer = await AgeWriter.BeginAsync(file, to, default))
        {
            // In odd pieces, as a tar archive comes.
            for (var at = 0; at < plain.Length; at += 10_007)
                await writer.WriteAsync(plain.AsMemory(at, Math.Min(10_007, plain.Length - at)));
            await writer.CompleteAsync(default);
        }
        return file.ToArray();
    }

    private static async Task<byte[]> DecryptAsync(byte[] file, AgeUnlock by)
    {
        var plain = new MemoryStream();
        await using var reader = await AgeReader.OpenAsync(new MemoryStream(file), by, default);
        await reader.CopyToAsync(plain);
        return plain.ToArray();
    }

    private string MakeKey(string name)
    {
        var said = Tool.Run("age-keygen", "-o", directory[name]);
        return said[said.IndexOf("age1", StringComparison.Ordinal)..].Trim();
    }
}
