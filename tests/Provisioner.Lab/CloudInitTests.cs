using System.Globalization;
using System.Text.Json.Nodes;
using Provisioner.Lab.Harness;

namespace Provisioner.Lab;

/// <summary>
/// The real cloud-init reads the seed the appliance makes for a host that runs from memory, does everything in it, and the host enrols with
/// the token it found there: from bare metal to a certificate, with nothing given to the server but its power.
/// </summary>
public sealed class CloudInitTests(ITestOutputHelper output)
{
    private const string Host = "server-1";
    private const string Mac = "52:54:00:77:00:0f";
    private const string SshKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBqdzPWmuzLQx1mhXkNVmDm1Ol9hO4Jq3W5pJmHq2F5T ops@example.com";

    /// <summary>What a person adds to the profile. The image has no other locale, and generates none.</summary>
    private const string Install = $"""
          install:
            diskless: true
            timeZone: Europe/Madrid
            locale: C.UTF-8
            keyboard: es
            users:
              - name: ops
                sudo: true
                sshKeys: ["{SshKey}"]
            before: |
              echo "before, on $(hostname)" >/run/before-marker
            after: |
              # A quote, a percent sign and an umlaut come through as they are: 'ü' 100 %
              echo 'after: "ü" 100 % $HOME' >/run/after-marker

        """;

    [Theory]
    [InlineData(nameof(Firmware.Bios))]
    [InlineData(nameof(Firmware.UefiArm64))]
    public async Task A_server_without_a_disk_is_configured_by_its_seed_and_enrols_with_the_token_in_it(string machine)
    {
        var firmware = Enum.Parse<Firmware>(machine);
        Prerequisites.SkipWithoutDiskless(firmware);
        var image = SiteImage.Diskless(firmware);
        await using var site = await Site.CreateAsync(firmware, SiteResources.Reserve, image: image);
        await site.Service.ApplyAsync(SiteResources.Profile(firmware, image.Name).TrimEnd() + "\n" + Install);
        await site.RegisterAsync(Host, Mac);
        await site.Service.DoAsync("provision", Host);
        var server = await site.AddDisklessServerAsync(Mac);

        await server.PowerOnAsync();
        await server.WaitForAsync("is installed, good until");
        output.WriteLine($"Enrolled {server.Machine.SincePowerOn.TotalSeconds:F0} s after power-on.");
        var report = await server.WaitUntilUpAsync();
        output.WriteLine($"Up {server.UpAfter.TotalSeconds:F0} s after power-on:\n{string.Join('\n', report)}");
        Assert.DoesNotContain(report, line => line.StartsWith("failed ", StringComparison.Ordinal));

        // The image has no ssh server, which cloud-init is surprised at.
        var warnings = (await server.RunAsync("grep -E 'WARNING|ERROR|CRITICAL|Traceback' /var/log/cloud-init.log | grep --invert-match \"SSH service 'ssh' is not installed\"; cloud-init schema --system")).Text;
        output.WriteLine(warnings);
        await IsAsTheProfileSaysAsync(server);
        var seed = await IsToldOfAsync(site, server);
        await BootsOnAsync(site, server, seed);
        Assert.DoesNotContain("WARNING", warnings, StringComparison.Ordinal);
    }

    private async Task IsAsTheProfileSaysAsync(DisklessServer server)
    {
        output.WriteLine(await server.DoAsync("cloud-init status --long; cloud-init analyze blame | head -n 12; free -m; df -h / | tail -n 1"));
        Assert.Equal("[]\n", await server.DoAsync("""python3 -c 'import json; print(json.load(open("/run/cloud-init/result.json"))["v1"]["errors"])'"""));

        Assert.Equal($"{Host}\n", await server.DoAsync("hostname"));
        Assert.Equal("/usr/share/zoneinfo/Europe/Madrid\n", await server.DoAsync("readlink --canonicalize /etc/localtime"));
        Assert.Equal("XKBLAYOUT=es\n", await server.DoAsync("grep ^XKBLAYOUT /etc/default/keyboard"));
        Assert.Equal($"{SshKey}\n", await server.DoAsync("cat ~ops/.ssh/authorized_keys"));
        Assert.Equal("600 ops\n", await server.DoAsync("stat --format='%a %U' ~ops/.ssh/authorized_keys"));
        // Locked: the key is the only way in. And what it may do then.
        Assert.StartsWith("ops L ", await server.DoAsync("passwd --status ops"), StringComparison.Ordinal);
        Assert.Equal("root\n", await server.DoAsync("setpriv --reuid=ops --regid=ops --init-groups sudo --non-interactive id --user --name"));

        Assert.Equal($"before, on {Host}\n", await server.DoAsync("cat /run/before-marker"));
        Assert.Equal("after: \"ü\" 100 % $HOME\n", await server.DoAsync("cat /run/after-marker"));
        Assert.Equal("644 root /etc/provisioner/ca.pem\n644 root /etc/provisioner/join.conf\n755 root /usr/local/sbin/provisioner-certificate\n",
            await server.DoAsync("stat --format='%a %U %n' /etc/provisioner/* /usr/local/sbin/provisioner-certificate"));
        Assert.Equal("active\n", await server.DoAsync("systemctl is-active provisioner-renew.timer"));
        Assert.Equal("/etc/iam/pki/server.pem: OK\n", await server.DoAsync(
            "openssl verify -x509_strict -purpose sslclient -no-CApath -no-CAstore -CAfile /etc/provisioner/ca.pem /etc/iam/pki/server.pem"));
        // What cloud-init keeps of the seed holds the token, and is for root alone.
        var readable = await server.RunAsync("setpriv --reuid=nobody --regid=nogroup --clear-groups cat /var/lib/cloud/instance/user-data.txt /run/provisioner/start");
        Assert.NotEqual(0, readable.ExitCode);
        Assert.Equal("", readable.Output);
    }

    /// <summary>What an operator sees of it.</summary>
    /// <returns>The seed's address, which only the host was told.</returns>
    private async Task<string> IsToldOfAsync(Site site, DisklessServer server)
    {
        var service = site.Service;
        var host = JsonNode.Parse(await service.DoAsync("get", "hosts", Host, "-o", "json"))!;
        output.WriteLine(host["status"]!.ToJsonString());
        Assert.Equal("Enrolled", Text(host["status"]!, "state"));
        var installation = host["status"]!["installation"]!;
        Assert.Equal(["start done", "installed done"], installation["stages"]!.AsArray().Select(s => $"{Text(s!, "name")} {Text(s!, "state").ToLowerInvariant()}"));
        var stage = installation["stages"]![0]!;
        Assert.InRange(stage["seconds"]!.GetValue<double>(), 0.1, 120);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Stage start: {stage["seconds"]!.GetValue<double>():F1} s"));

        var serial = (await server.DoAsync("openssl x509 -in /etc/iam/pki/server.pem -noout -serial")).Trim()["serial=".Length..].ToLowerInvariant();
        var certificate = Assert.Single(JsonNode.Parse(await service.DoAsync("get", "certificates", Host, "-o", "json"))!["items"]!.AsArray())!;
        Assert.Equal((serial, Host, "good"), (Text(certificate, "serial"), Text(certificate, "host"), Text(certificate, "state")));

        var events = await service.EventsAsync(Host);
        output.WriteLine(Timeline.Describe(events));
        Timeline.AssertInOrder(events, new(site.ImageSource, "initrd.img"), new("http", "meta-data", "200"), new("est", "Enrolled", serial));
        Timeline.AssertInOrder(events, new("http", "user-data", "200"), new("est", "Enrolled", serial));
        Assert.Contains(events, e => e is { Source: "installer", Outcome: "changed", What: "Stage start began" });
        Assert.Contains(events, e => e is { Source: "installer", Outcome: "changed" } && e.What.StartsWith("Stage start done after ", StringComparison.Ordinal));
        Assert.DoesNotContain(events, e => (e.Outcome is "refused" or "failed") && e.What.Contains("/seed/", StringComparison.Ordinal));

        var seed = (await server.DoAsync("grep --only-matching 'ds=nocloud-net;s=[^ ]*' /proc/cmdline")).Trim()["ds=nocloud-net;s=".Length..];
        var capability = seed.TrimEnd('/').Split('/')[^1];
        Assert.DoesNotContain(events, e => e.ToString().Contains(capability, StringComparison.Ordinal));
        Assert.DoesNotContain(service.Log, line => line.Contains(capability, StringComparison.Ordinal));
        return seed;
    }

    /// <summary>It has no disk: switched on again it boots the same image with its seed, which has no token any more.</summary>
    private async Task BootsOnAsync(Site site, DisklessServer server, string seed)
    {
        var before = (await site.Service.EventsAsync(Host))[^1].Id;
        await server.PowerOffAsync();
        await server.PowerOnAsync();
        List<RecordedEvent> events;
        do
        {
            Assert.True(server.Machine.SincePowerOn < site.BootLimit, $"The server does not come up again:\n{site.Service.LogTail()}");
            await Task.Delay(500);
            events = [.. (await site.Service.EventsAsync(Host)).Where(e => e.Id > before)];
        }
        while (!events.Any(e => e.What.StartsWith("Stage installed done", StringComparison.Ordinal)));

        await server.WaitUntilUpAsync();
        output.WriteLine($"Switched on again:\n{Timeline.Describe(events)}");
        Timeline.AssertInOrder(events, new(site.ImageSource, "initrd.img"), new("http", "user-data", "200"));
        Timeline.AssertNone(events, new("est", "Enrolled"));
        var standing = JsonNode.Parse(await site.Service.DoAsync("get", "hosts", Host, "-o", "json"))!["status"]!;
        Assert.Equal("Installed", Text(standing, "state"));
        Assert.Contains("'provisioner provision", Text(standing, "reason"), StringComparison.Ordinal);
        var given = await server.DoAsync($"printf 'url = \"%suser-data\"\\n' '{seed}' | curl --silent --config -");
        Assert.Contains("/etc/provisioner/join.conf", given, StringComparison.Ordinal);
        Assert.DoesNotContain("\"/etc/provisioner/token\"", given, StringComparison.Ordinal);
        Assert.Equal("none\n", await server.DoAsync("[ -e /etc/iam/pki/server.pem ] || echo none"));
    }

    private static string Text(JsonNode json, string field) => json[field]!.GetValue<string>();
}
