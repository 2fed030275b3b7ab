using System.Text.Json.Nodes;
using Provisioner.Aws;
using Provisioner.Backup;
using Provisioner.Backup.Age;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Aws;

namespace Provisioner.Tests.Backup;

/// <summary>Backups in a bucket, by the appliance's own credentials. The double verifies each signature, chunk by chunk where a body has them.</summary>
public sealed class BucketTests
{
    private const string Policy = """{ "Statement": [ { "Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:ListBucket"], "Resource": "*" } ] }""";

    [Fact]
    public async Task They_are_sent_kept_by_count_and_restored_from_there()
    {
        using var directory = new TemporaryDirectory();
        using var identity = new AgeIdentity(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));
        await File.WriteAllTextAsync(directory["key.txt"], Bech32.Encode("age-secret-key-", identity.Key).ToUpperInvariant());
        await using var site = await AwsSite.StartSetUpAsync();
        var bucket = site.Account.Buckets["site-backups"] = [];
        var options = new BackupOptions { Recipients = [identity.Recipient.ToString()], Keep = 1, S3 = new S3Options("site-backups", "eu-west-1") { Prefix = "rack 1/".Replace(' ', '-'), Keep = 3 } };
        await site.UseOwnCredentialsAsync(options);

        // Without the rights, the reason is said, and which rights they are.
        var refused = await site.Appliance.RunAsync("backup", "--scheduled");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("give its role s3:PutObject", refused.Error, StringComparison.Ordinal);
        Assert.Empty(bucket);

        site.Account.Roles["provisioner-prod-appliance"].Policies["backups"] = JsonNode.Parse(Policy)!.AsObject();
        // Older ones, of this and of somebody else.
        for (var i = 1; i <= 4; i++)
            bucket[$"rack-1/{BackupNames.At(site.Appliance.Now.AddDays(-i))}"] = [1, 2, 3];
        bucket["rack-1/notes.txt"] = [4];
        (await site.Appliance.RunAsync("backup", "--scheduled")).Succeeded();
        Assert.Equal(4, bucket.Count);
        Assert.Contains("rack-1/notes.txt", bucket.Keys);
        var newest = bucket.Keys.Where(k => k.EndsWith(".age", StringComparison.Ordinal)).Max(StringComparer.Ordinal)!;
        Assert.Contains("s3://site-backups/rack-1/", (await site.Appliance.RunAsync("backup", "--list")).Succeeded(), StringComparison.Ordinal);
        await File.WriteAllBytesAsync(directory["b.age"], bucket[newest]);
        (await CommandOutcome.OfAsync("", ["restore", directory["b.age"], "--data", directory["new"], "-i", directory["key.txt"]])).Succeeded();
        Assert.DoesNotContain(BackupService.FailedAlert, site.Appliance.Snapshot.Alerts.Keys);
    }

    /// <summary>More than a part: it goes in several.</summary>
    [Fact]
    public async Task A_large_one_is_sent_in_parts()
    {
        using var directory = new TemporaryDirectory();
        await using var site = await AwsSite.StartSetUpAsync();
        var bucket = site.Account.Buckets["site-backups"] = [];
        site.Account.Roles["provisioner-prod-appliance"].Policies["backups"] = JsonNode.Parse(Policy)!.AsObject();
        await site.UseOwnCredentialsAsync();
        var content = System.Security.Cryptography.RandomNumberGenerator.GetBytes(18 << 20);
        await File.WriteAllBytesAsync(directory["large.age"], content);
        await new BackupBucket(new S3Options("site-backups", "eu-west-1"), site.Service<Provisioner.Aws.Clients.AwsClients>()).SendAsync(directory["large.age"], default);
        Assert.True(content.AsSpan().SequenceEqual(bucket["provisioner/large.age"]));
    }
}
