using System.Text.Json.Nodes;
using Provisioner.Audit;
using Provisioner.Auth;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Auth;

namespace Provisioner.Tests.Audit;

public sealed class AuditTests : IAsyncLifetime
{
    private readonly TemporaryDirectory directory = new();
    private RunningAppliance appliance = null!;

    private string Trail => directory["audit.jsonl"];

    public async ValueTask InitializeAsync() => appliance = await RunningAppliance.StartAsync(directory);

    public async ValueTask DisposeAsync()
    {
        await appliance.DisposeAsync();
        directory.Dispose();
    }

    [Fact]
    public async Task Every_change_is_kept_with_who_when_and_what_it_was_before()
    {
        using var admin = await Visitor.SignedInAsync(appliance, "ada", Role.Admin);
        (await admin.PostAsync("/api/v1/apply", Site.Network)).Is(200);
        (await admin.PostAsync("/api/v1/apply", Site.Network.Replace("lab0", "lab1", StringComparison.Ordinal))).Is(200);
        (await admin.DeleteAsync("/api/v1/networks/lab")).Is(200);
        var entries = (await admin.GetAsync("/api/v1/audit?subject=Network/lab")).Is(200).Json["items"]!.AsArray().Select(e => e!.AsObject()).Reverse().ToList();
        Assert.Equal(["Network lab created", "Network lab configured", "Network lab deleted"], entries.Select(e => e["what"]!.ToString()));
        Assert.All(entries, e => Assert.Equal("user/ada", e["actor"]!.ToString()));
        Assert.Equal(new (string?, string?)[] { (null, "lab0"), ("lab0", "lab1"), ("lab1", null) }, entries.Select(e => e["changes"]![0]!).Select(c => (c["before"]?["spec"]!["interface"]!.ToString(), c["after"]?["spec"]!["interface"]!.ToString())));
        // What was only tried, or refused, is no change.
        (await admin.PostAsync("/api/v1/apply?dryRun=true", Site.Network)).Is(200);
        (await admin.PostAsync("/api/v1/apply", Site.Host)).Is(409);
        Assert.Equal(3, (await admin.GetAsync("/api/v1/audit?subject=Network")).Json["items"]!.AsArray().Count);
        Assert.Empty((await admin.GetAsync("/api/v1/audit?subject=Host")).Json["items"]!.AsArray());
        // The local account that added her, by the socket.
        Assert.Equal("User ada added as admin", (await admin.GetAsync("/api/v1/audit?subject=User/ada")).Json["items"]!.AsArray().Last()!["what"]!.ToString());
        Assert.Contains("Network lab deleted", (await appliance.RunAsync("audit", "--actor", "user/ada")).Succeeded(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_secret_is_in_it()
    {
        using var admin = await Visitor.SignedInAsync(appliance, "ada", Role.Admin);
        var token = (await admin.PostAsync("/api/v1/tokens", """{"name": "ci", "role": "viewer"}""")).Is(201).Json["token"]!.ToString();
        await appliance.Writer.ChangeAsync(editor => editor.Put(new Provisioner.Images.Image(new Provisioner.Resources.Metadata("ubuntu-24"), new Provisioner.Images.ImageSpec { Distribution = "ubuntu", Version = "24.04", Architecture = Provisioner.Boot.CpuArchitecture.X64, Kernel = "linux" })));
        const string Hash = "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/";
        var profile = $$"""
            apiVersion: provisioner/v1
            kind: Profile
            metadata: { name: worker }
            spec: { image: ubuntu-24, install: { users: [{ name: ops, passwordHash: "{{Hash}}" }] } }
            """;
        (await admin.PostAsync("/api/v1/apply", profile)).Is(200);
        var text = await File.ReadAllTextAsync(Trail);
        Assert.Contains("Profile worker created", text, StringComparison.Ordinal);
        Assert.Contains("(left out)", text, StringComparison.Ordinal);
        foreach (var secret in new[] { token, OpaqueToken.Hash(token[^43..]), Hash, Visitor.PasswordOf("ada"), appliance.Snapshot.Users["ada"].PasswordHash!, appliance.Snapshot.Sessions.Values.Single().Hash })
            Assert.DoesNotContain(secret, text, StringComparison.Ordinal);
        // Nor is it shown to those who may not set it.
        using var viewer = await Visitor.WithTokenAsync(appliance, "sees", Role.Viewer);
        Assert.DoesNotContain(Hash, (await viewer.GetAsync("/api/v1/profiles/worker")).Is(200).Text, StringComparison.Ordinal);
        Assert.DoesNotContain(Hash, (await viewer.GetAsync("/api/v1/profiles")).Is(200).Text, StringComparison.Ordinal);
        Assert.Contains(Hash, (await admin.GetAsync("/api/v1/profiles/worker")).Is(200).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_trail_goes_on_after_a_restart_and_can_be_checked_elsewhere()
    {
        await appliance.ApplyAsync(Site.Network);
        await appliance.DisposeAsync();
        appliance = await RunningAppliance.StartAsync(directory);
        await appliance.SendAsync(HttpMethod.Delete, "networks/lab");
        var verified = (await appliance.RunAsync("audit", "verify")).Succeeded();
        Assert.StartsWith("2 entries, each as it was written.", verified, StringComparison.Ordinal);
        await File.WriteAllTextAsync(directory["export"], (await appliance.RunAsync("audit", "export")).Succeeded());
        Assert.Equal(await File.ReadAllTextAsync(Trail), await File.ReadAllTextAsync(directory["export"]));
        Assert.Equal(verified, (await CommandOutcome.OfAsync("", ["audit", "verify", directory["export"]])).Succeeded());
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Trail));
    }

    [Fact]
    public async Task What_was_tampered_with_is_found_at_the_start_and_stops_nothing()
    {
        for (var i = 0; i < 3; i++)
            await appliance.ApplyAsync(Site.Network.Replace("lab0", $"lab{i}", StringComparison.Ordinal));
        await appliance.DisposeAsync();
        var lines = await File.ReadAllLinesAsync(Trail);
        await File.WriteAllTextAsync(Trail, string.Join('\n', [lines[0], lines[1].Replace("configured", "confiscated", StringComparison.Ordinal), lines[2]]) + "\n");
        appliance = await RunningAppliance.StartAsync(directory);
        for (var i = 0; appliance.Snapshot.Alerts.IsEmpty && i < 200; i++)
            await Task.Delay(20);
        Assert.Contains("line 2: it was changed after it was written", appliance.Snapshot.Alerts["audit"].Message, StringComparison.Ordinal);
        var refused = await appliance.RunAsync("audit", "verify");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("line 2", refused.Error, StringComparison.Ordinal);
        Assert.Equal(200, (await appliance.SendAsync(HttpMethod.Delete, "networks/lab")).Status);
    }

    [Fact]
    public async Task A_crash_between_database_and_file_loses_no_entry()
    {
        await appliance.ApplyAsync(Site.Network);
        await appliance.SendAsync(HttpMethod.Delete, "networks/lab");
        await appliance.DisposeAsync();
        var lines = await File.ReadAllLinesAsync(Trail);
        // As if the last line had come only half to the disk: the database has it still.
        await File.WriteAllTextAsync(Trail, lines[0] + "\n" + lines[1][..20]);
        appliance = await RunningAppliance.StartAsync(directory);
        Assert.Equal(lines, await File.ReadAllLinesAsync(Trail));
    }
}

public sealed class AuditLineTests
{
    private static List<AuditLine> Lines(int count)
    {
        var lines = new List<AuditLine>();
        for (var i = 1; i <= count; i++)
            lines.Add(AuditLine.Write(new AuditEntry { At = DateTimeOffset.UnixEpoch.AddHours(i), Actor = "user/ada", What = $"change {i} → \"ü\"\n", Reason = "", Changes = [new("Host/a", new JsonObject { ["x"] = i }, null)] }, i, lines.Count == 0 ? AuditLine.Origin : lines[^1].Hash));
        return lines;
    }

    private static AuditVerification Verify(IEnumerable<string> lines) => AuditTrail.Verify(lines);

    [Fact]
    public void A_line_is_JSON_and_is_read_back()
    {
        var line = Lines(2)[1];
        Assert.DoesNotContain('\n', line.Text);
        Assert.Equal("change 2 → \"ü\"\n", JsonNode.Parse(line.Text)!["what"]!.ToString());
        Assert.Equal(line, AuditLine.TryParse(line.Text, out _));
        Assert.Null(Verify(Lines(5).Select(l => l.Text)).Wrong);
        // A part of a trail can be checked as well.
        Assert.Null(Verify(Lines(5).Skip(2).Select(l => l.Text)).Wrong);
    }

    [Theory]
    [InlineData("removed", "line 3: entry 4 follows entry 2")]
    [InlineData("moved", "line 2: entry 3 follows entry 1")]
    [InlineData("changed", "line 3: it was changed")]
    [InlineData("rewritten", "line 4: entry 4 was written after another entry 3")]
    [InlineData("cut", null)]
    [InlineData("garbage", "line 3: it is not an entry")]
    public void Each_way_to_tamper_shows(string how, string? wrong)
    {
        var lines = Lines(5);
        var texts = lines.Select(l => l.Text).ToList();
        switch (how)
        {
            case "removed":
                texts.RemoveAt(2);
                break;
            case "moved":
                (texts[1], texts[2]) = (texts[2], texts[1]);
                break;
            case "changed":
                texts[2] = texts[2].Replace("user/ada", "user/bob", StringComparison.Ordinal);
                break;
            case "rewritten":
                // Whoever knows how lines are made can make one that is right in itself, but not those after it.
                texts[2] = AuditLine.Write(new AuditEntry { At = DateTimeOffset.UnixEpoch, Actor = "user/bob", What = "", Reason = "" }, 3, lines[1].Hash).Text;
                break;
            case "cut":
                texts.RemoveAt(4);
                break;
            case "garbage":
                texts[2] = "{}";
                break;
        }
        var found = Verify(texts);
        if (wrong is not null)
            Assert.StartsWith(wrong, found.Wrong!, StringComparison.Ordinal);
        else
            // What was cut off at the end shows by the hash that was noted elsewhere.
            Assert.NotEqual(lines[^1].Hash, found.Head);
    }
}
