using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Provisioner.Boot;
using Provisioner.Certificates;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Installing;
using Provisioner.Networks;
using Provisioner.Profiles;
using Provisioner.Progress;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Seeds;
using Provisioner.Tests.Certificates;

namespace Provisioner.Tests.Seeds;

/// <summary>The seed as an installer meets it: over HTTP, from an address the host was seen at.</summary>
public sealed class SeedTests
{
    private static readonly MacAddress Mac = MacAddress.Parse("52:54:00:77:00:01");

    [Fact]
    public async Task The_installer_is_pointed_to_its_seed_and_what_it_fetches_lets_it_enrol_once()
    {
        await using var site = await StartAsync();
        var seed = await SeedOfAsync(site);
        using var http = Boot(site);
        var first = await http.GetStringAsync(seed + "user-data");
        // Fetched again, as cloud-init and subiquity do: the same, octet by octet.
        Assert.Equal(first, await http.GetStringAsync(seed + "user-data"));
        Assert.StartsWith("#cloud-config\n", first, StringComparison.Ordinal);
        Assert.Contains("instance-id", await http.GetStringAsync(seed + "meta-data"), StringComparison.Ordinal);
        Assert.Equal("", Regex.Replace(await http.GetStringAsync(seed + "vendor-data"), "#.*|\\{\\}|\\s", ""));

        var installation = site.Appliance.Snapshot.Installations["web-1"];
        var token = site.Appliance.Services.GetRequiredService<SeedKey>().TokenOf(installation);
        Assert.Contains(token, first, StringComparison.Ordinal);
        Assert.Equal([EnrolmentToken.Hash(token)], installation.TokenHashes);
        var request = EstClient.Request(System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256), "web-1");
        (await new EstClient(site.Appliance).EnrolAsync(new GivenToken(installation.Id, token), request)).Certificate();

        // Enrolled: the seed is closed, with the reason.
        var gone = await http.GetAsync(seed + "user-data");
        Assert.Equal(HttpStatusCode.Gone, gone.StatusCode);
        Assert.Contains("the host enrolled", await gone.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        var events = await site.EventsUntilAsync(e => e is { Outcome: EventOutcome.Refused, Host: "web-1" } && e.What.EndsWith("410", StringComparison.Ordinal));
        var capability = seed.Split('/')[2];
        Assert.All(events, e => Assert.DoesNotContain(capability, e.What + e.Reason, StringComparison.Ordinal));
        Assert.All(events, e => Assert.DoesNotContain(token, e.What + e.Reason, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_seed_is_the_same_after_a_restart_and_over_when_its_window_is()
    {
        await using var site = await StartAsync();
        var seed = await SeedOfAsync(site);
        string before;
        using (var http = Boot(site))
            before = await http.GetStringAsync(seed + "user-data");
        var ports = PortsOf(site);
        await site.RestartAsync();
        Seen(site);
        using (var http = Boot(site))
        {
            Assert.Equal(Portless(before, ports), Portless(await http.GetStringAsync(seed + "user-data"), PortsOf(site)));
            site.Time.Advance(TimeSpan.FromHours(2));
            Assert.Equal(HttpStatusCode.Gone, (await http.GetAsync(seed + "user-data")).StatusCode);
        }
    }

    [Fact]
    public async Task Nobody_else_gets_it()
    {
        await using var site = await StartAsync();
        var seed = await SeedOfAsync(site);
        using var http = Boot(site);
        // Not with a capability that was made up or changed, not for another Installation.
        foreach (var wrong in new[] { "/seed/x/user-data", $"/seed/{new string('A', 64)}/user-data", seed.Replace(seed[8], seed[8] == 'A' ? 'B' : 'A') + "user-data", "/seed/", "/seed" })
            Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync(wrong)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync(seed + "ks.cfg")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync(seed + "../../etc/passwd")).StatusCode);
        // Not from an address the host was not seen at.
        site.Appliance.Services.GetRequiredService<AddressBook>().Learn(Ipv4Address.Parse("127.0.0.1"), MacAddress.Parse("52:54:00:77:00:99"));
        var refused = await http.GetAsync(seed + "user-data");
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        Assert.Contains("where web-1 was not seen", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Seen(site);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(seed + "user-data")).StatusCode);
        // Provisioned anew, the old one is gone.
        await site.PostAsync("hosts/web-1/provision");
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync(seed + "user-data")).StatusCode);
    }

    [Fact]
    public async Task Reports_become_stages_and_the_end_closes_the_Installation()
    {
        await using var site = await StartAsync();
        var seed = await SeedOfAsync(site);
        using var http = Boot(site);
        async Task<HttpStatusCode> Report(string body, string to = "report") => (await http.PostAsync(seed + to, new StringContent(body, Encoding.UTF8, "application/x-www-form-urlencoded"))).StatusCode;

        Assert.Equal(HttpStatusCode.NoContent, await Report("stage=installer&state=started&message=It%27s%20up"));
        Assert.Equal("Installing", await StateOf(site));
        site.Time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(HttpStatusCode.NoContent, await Report("stage=disks&state=done"));
        Assert.Equal(HttpStatusCode.NoContent, await Report("""{"name":"subiquity/Install/install/configure_apt","event_type":"start","description":"configuring apt"}""", "report/webhook"));
        Assert.Equal(HttpStatusCode.NoContent, await Report(new string('x', 60_000) + "\nthe last line\n", "report/log"));
        Assert.EndsWith("the last line\n", (await site.Appliance.RunAsync("log", "web-1")).Succeeded(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, await Report("stage=No%20Name&state=done"));
        Assert.Equal(HttpStatusCode.BadRequest, await Report("stage=disks&state=almost"));
        Assert.Equal(HttpStatusCode.BadRequest, await Report("[", "report/webhook"));
        Assert.Equal(HttpStatusCode.NotFound, await Report("x", "report/other"));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await Report(new string('x', 70_000), "report/log"));
        Assert.Equal(HttpStatusCode.NoContent, await Report("stage=installed&state=done"));
        Assert.Equal("Installed", await StateOf(site));
        Assert.Equal(HttpStatusCode.Gone, (await http.GetAsync(seed + "user-data")).StatusCode);
        var stages = (await site.Appliance.GetAsync("hosts/web-1"))["status"]!["installation"]!["stages"]!.AsArray();
        Assert.Equal(["installer", "disks", "configure-apt", "installed"], stages.Select(s => s!["name"]!.GetValue<string>()));
        Assert.Equal(30, stages[0]!["seconds"]!.GetValue<double>());
        // A late word is still heard; much later, nothing.
        Assert.Equal(HttpStatusCode.NoContent, await Report("stage=seal&state=failed&message=no+TPM"));
        site.Time.Advance(TimeSpan.FromHours(2));
        Assert.Equal(HttpStatusCode.Gone, await Report("stage=late&state=done"));
        var passphrase = (await site.Appliance.RunAsync("disk-passphrase", "web-1")).Succeeded();
        Assert.Matches("^([0-9a-f]{4}-){7}[0-9a-f]{4}\n$", passphrase);
        await site.TokenAsync("web-1");
        Assert.Equal(passphrase, (await site.Appliance.RunAsync("disk-passphrase", "web-1")).Succeeded());
        Assert.Contains(site.Appliance.EventLog.Find(new Provisioner.Storage.EventQuery { Host = "web-1" }), e => e.What == "The passphrase of its disk was shown" && e.Actor is not null);
    }

    /// <summary>RHEL and Ubuntu enrol at their first boot, when the installer has reported its end and the host boots its disk.</summary>
    [Fact]
    public async Task An_installed_host_enrols_at_its_first_boot_with_the_token_of_its_seed_and_once()
    {
        await using var site = await StartAsync();
        var old = await site.EnrolAsync("web-1");
        Assert.Equal("Enrolled", await StateOf(site));
        site.Time.Advance(TimeSpan.FromDays(1));

        var given = await InstalledAsync(site);
        // The certificate of before is that of the system that was overwritten.
        Assert.Equal("Installed", await StateOf(site));
        using (var http = Boot(site))
            Assert.Contains("boots its own disk", await http.GetStringAsync($"/boot/{Mac}/boot.ipxe"), StringComparison.Ordinal);
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        var certificate = (await new EstClient(site.Appliance).EnrolAsync(given, EstClient.Request(key, "web-1"))).Certificate();
        Assert.Equal("CN=web-1", certificate.Subject);
        Assert.NotEqual(old.SerialNumber, certificate.SerialNumber);
        Assert.Equal("Enrolled", await StateOf(site));
        Assert.Equal("the host enrolled", site.Appliance.Snapshot.Installations["web-1"].ClosedBecause);
        using var other = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        (await new EstClient(site.Appliance).EnrolAsync(given, EstClient.Request(other, "web-1"))).AssertRefused(403, "the token was used already");
    }

    [Fact]
    public async Task An_installed_host_does_not_enrol_after_its_window_nor_when_its_Installation_was_cancelled_or_replaced()
    {
        await using var site = await StartAsync();
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        var request = EstClient.Request(key, "web-1");
        var given = await InstalledAsync(site);
        await site.PostAsync("hosts/web-1/cancel");
        (await new EstClient(site.Appliance).EnrolAsync(given, request)).AssertRefused(403, "the Installation is not open: cancelled");
        Assert.Contains("its enrolment was cancelled", (await site.Appliance.GetAsync("hosts/web-1"))["status"]!["reason"]!.GetValue<string>(), StringComparison.Ordinal);

        var replaced = await InstalledAsync(site);
        given = await InstalledAsync(site);
        (await new EstClient(site.Appliance).EnrolAsync(replaced, request)).AssertRefused(401, "token is wrong");
        site.Time.Advance(TimeSpan.FromHours(2));
        (await new EstClient(site.Appliance).EnrolAsync(given, request)).AssertRefused(403, "window ended");
        Assert.Equal("Installed", await StateOf(site));
        Assert.Contains("'provisioner token web-1'", (await site.Appliance.GetAsync("hosts/web-1"))["status"]!["reason"]!.GetValue<string>(), StringComparison.Ordinal);
        // As it says.
        (await new EstClient(site.Appliance).EnrolAsync(await site.TokenAsync("web-1"), request)).Certificate();
        Assert.Equal("Enrolled", await StateOf(site));
    }

    [Fact]
    public async Task A_host_without_a_disk_boots_on_with_its_seed_but_without_a_token_until_it_is_provisioned_again()
    {
        await using var site = await StartAsync(diskless: true);
        var seed = await SeedOfAsync(site);
        using var http = Boot(site);
        Task<HttpResponseMessage> Report(string stage, string state) => http.PostAsync(seed + "report", new StringContent($"stage={stage}&state={state}"));
        async Task BootsAsync()
        {
            Assert.Equal(seed, await SeedOfAsync(site, provision: false));
            Assert.Equal(HttpStatusCode.NoContent, (await Report("start", "started")).StatusCode);
            site.Time.Advance(TimeSpan.FromSeconds(20));
            await Report("start", "done");
            Assert.Equal(HttpStatusCode.NoContent, (await Report("installed", "done")).StatusCode);
        }

        // Switched off and on again inside the window, before it enrolled: the same token.
        var first = await http.GetStringAsync(seed + "user-data");
        await BootsAsync();
        Assert.Equal("Installed", await StateOf(site));
        Assert.Equal(first, await http.GetStringAsync(seed + "user-data"));
        var installation = site.Appliance.Snapshot.Installations["web-1"];
        var given = new GivenToken(installation.Id, site.Appliance.Services.GetRequiredService<SeedKey>().TokenOf(installation));
        Assert.Contains(given.Token, first, StringComparison.Ordinal);
        Assert.Contains("\"/etc/provisioner/token\"", first, StringComparison.Ordinal);
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        (await new EstClient(site.Appliance).EnrolAsync(given, EstClient.Request(key, "web-1"))).Certificate();
        Assert.Equal("Enrolled", await StateOf(site));

        foreach (var later in new[] { TimeSpan.FromMinutes(5), TimeSpan.FromDays(20) })
        {
            await site.PassAsync(later);
            await BootsAsync();
            var again = await http.GetStringAsync(seed + "user-data");
            Assert.DoesNotContain(given.Token, again, StringComparison.Ordinal);
            Assert.DoesNotContain("\"/etc/provisioner/token\"", again, StringComparison.Ordinal);
            Assert.DoesNotContain("systemctl enable provisioner-enrol", again, StringComparison.Ordinal);
            Assert.Contains("ops@example.com", again, StringComparison.Ordinal);
            // Its key was in memory: the good certificate is nobody's.
            Assert.Equal("Installed", await StateOf(site));
            Assert.Contains("'provisioner provision web-1'", (await site.Appliance.GetAsync("hosts/web-1"))["status"]!["reason"]!.GetValue<string>(), StringComparison.Ordinal);
            Assert.Equal(["start", "installed"], site.Appliance.Snapshot.Installations["web-1"].Stages.Select(s => s.Name));
        }
        using var other = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        (await new EstClient(site.Appliance).EnrolAsync(given, EstClient.Request(other, "web-1"))).AssertRefused(403, "the token was used already");
        var (status, refused) = await site.Appliance.SendAsync(HttpMethod.Post, "hosts/web-1/token", new StringContent("{}"));
        Assert.Equal(409, status);
        Assert.Contains("has no disk", refused.ToJsonString(), StringComparison.Ordinal);

        // Provisioned again, it boots with a new token; and cancelled, it boots nothing of ours.
        var old = seed;
        seed = await SeedOfAsync(site);
        Assert.NotEqual(old, seed);
        installation = site.Appliance.Snapshot.Installations["web-1"];
        given = new GivenToken(installation.Id, site.Appliance.Services.GetRequiredService<SeedKey>().TokenOf(installation));
        Assert.Contains(given.Token, await http.GetStringAsync(seed + "user-data"), StringComparison.Ordinal);
        await BootsAsync();
        (await new EstClient(site.Appliance).EnrolAsync(given, EstClient.Request(other, "web-1"))).Certificate();
        Assert.Equal("Enrolled", await StateOf(site));
        await site.PostAsync("hosts/web-1/cancel");
        Assert.Equal(HttpStatusCode.Gone, (await http.GetAsync(seed + "user-data")).StatusCode);
        Assert.Contains("boots its own disk", await http.GetStringAsync($"/boot/{Mac}/boot.ipxe"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_host_that_goes_quiet_is_told_of_with_its_last_line_and_the_likely_cause()
    {
        await using var site = await StartAsync();
        var seed = await SeedOfAsync(site);
        using var http = Boot(site);
        await http.PostAsync(seed + "report", new StringContent("stage=disks&state=done"));
        var syslog = site.Appliance.Services.GetRequiredService<SyslogService>();
        using (var udp = new System.Net.Sockets.UdpClient())
        {
            for (var i = 0; i < 50 && site.Appliance.Services.GetRequiredService<InstallerLog>().LastLine("web-1")?.StartsWith("anaconda", StringComparison.Ordinal) != true; i++)
            {
                await udp.SendAsync("<14>anaconda: Installing libgcc (1/412)"u8.ToArray(), "127.0.0.1", syslog.Port);
                await Task.Delay(50);
            }
        }
        var recorder = site.Appliance.Services.GetRequiredService<StageRecorder>();
        site.Time.Advance(TimeSpan.FromMinutes(59));
        await recorder.LookAsync(default);
        Assert.DoesNotContain("stalled:web-1", site.Appliance.Snapshot.Alerts.Keys);
        site.Time.Advance(TimeSpan.FromMinutes(62));
        await recorder.LookAsync(default);
        // The window of two hours is over by now: what is shown is a failure, and the alert was not needed any more.
        Assert.Equal("Failed", await StateOf(site));

        await site.PostAsync("hosts/web-1/provision", """{"window": "6h"}""");
        seed = await SeedOfAsync(site, provision: false);
        await http.PostAsync(seed + "report", new StringContent("stage=disks&state=done"));
        await recorder.LookAsync(default);
        // As the kernel and anaconda say it, from the address the host was seen at.
        syslog.Take("<13>Mar  1 12:00:00 web-1 packaging: Downloading kernel-core (7/412)"u8, Ipv4Address.Parse("127.0.0.1"));
        site.Time.Advance(TimeSpan.FromMinutes(61));
        await recorder.LookAsync(default);
        // The line was heard, so it is quiet from then on.
        site.Time.Advance(TimeSpan.FromMinutes(61));
        await recorder.LookAsync(default);
        var alert = site.Appliance.Snapshot.Alerts["stalled:web-1"];
        Assert.Contains("web-1 is quiet in stage disks", alert.Message, StringComparison.Ordinal);
        Assert.Contains("a repository cannot be reached", alert.Message, StringComparison.Ordinal);
        Assert.EndsWith("Its last line: packaging: Downloading kernel-core (7/412)", alert.Message, StringComparison.Ordinal);
        Assert.EndsWith("packaging: Downloading kernel-core (7/412)\n", (await site.Appliance.RunAsync("log", "web-1")).Succeeded(), StringComparison.Ordinal);
        Assert.Equal("Stalled", await StateOf(site));
        // It goes on after all.
        await http.PostAsync(seed + "report", new StringContent("stage=configure&state=started"));
        Assert.DoesNotContain("stalled:web-1", site.Appliance.Snapshot.Alerts.Keys);
        Assert.Equal("Installing", await StateOf(site));
    }

    [Fact]
    public async Task Render_shows_everything_but_the_secrets_and_what_changed()
    {
        await using var site = await StartAsync(diskless: true);
        Assert.Contains("REDACTED", (await site.Appliance.RunAsync("render", "web-1", "user-data")).Succeeded(), StringComparison.Ordinal);
        Assert.Contains("Image debian is not installed by ks.cfg", (await site.Appliance.RunAsync("render", "web-1", "kickstart")).Error, StringComparison.Ordinal);
        Assert.Contains("was served yet", (await site.Appliance.RunAsync("render", "web-1", "user-data", "--diff")).Error, StringComparison.Ordinal);
        var seed = await SeedOfAsync(site);
        using var http = Boot(site);
        await http.GetStringAsync(seed + "user-data");
        var capability = seed.Split('/')[2];
        var token = site.Appliance.Services.GetRequiredService<SeedKey>().TokenOf(site.Appliance.Snapshot.Installations["web-1"]);
        foreach (var what in new[] { "user-data", "meta-data", "vendor-data", "ipxe", "grub" })
        {
            var shown = (await site.Appliance.RunAsync("render", "web-1", what)).Succeeded();
            Assert.DoesNotContain(capability, shown, StringComparison.Ordinal);
            Assert.DoesNotContain(token, shown, StringComparison.Ordinal);
        }
        Assert.Contains("Nothing changed", (await site.Appliance.RunAsync("render", "web-1", "user-data", "--diff")).Succeeded(), StringComparison.Ordinal);
        await site.Appliance.Writer.ChangeAsync(editor =>
        {
            var profile = editor.Snapshot.Profiles["worker"];
            return editor.Put(profile with { Spec = profile.Spec with { Install = profile.Spec.Install! with { TimeZone = "Europe/Berlin" } } });
        });
        var difference = (await site.Appliance.RunAsync("render", "web-1", "user-data", "--diff")).Succeeded();
        Assert.Contains("+ timezone: Europe/Berlin", difference.Replace("'", "", StringComparison.Ordinal).Replace("\"", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.True(difference.Split('\n').Length < 12, difference);
    }

    [Fact]
    public async Task What_was_served_is_compared_with_after_a_restart_as_well()
    {
        await using var site = await StartAsync(diskless: true);
        var seed = await SeedOfAsync(site);
        using (var http = Boot(site))
        {
            // Asked for its length alone, nothing was served.
            using var head = await http.SendAsync(new HttpRequestMessage(HttpMethod.Head, seed + "user-data"));
            Assert.Equal(HttpStatusCode.OK, head.StatusCode);
            Assert.Contains("was served yet", (await site.Appliance.RunAsync("render", "web-1", "user-data", "--diff")).Error, StringComparison.Ordinal);
            Assert.Equal(head.Content.Headers.ContentLength, (await http.GetByteArrayAsync(seed + "user-data")).Length);
        }
        var ports = PortsOf(site);
        await site.RestartAsync();
        var difference = (await site.Appliance.RunAsync("render", "web-1", "user-data", "--diff")).Succeeded().Split('\n');
        // Its planes have other ports now, and nothing else is different.
        var (removed, added) = (difference.Where(l => l.StartsWith('-')).Select(l => Portless(l[1..], ports)), difference.Where(l => l.StartsWith('+')).Select(l => Portless(l[1..], PortsOf(site))));
        Assert.NotEmpty(removed);
        Assert.Equal(removed, added);
    }

    /// <summary>A site's own template is used from the next reload on, in what is served and in what is shown.</summary>
    [Fact]
    public async Task A_template_of_the_site_s_own_is_used_once_it_is_read_again_and_a_bad_one_is_not()
    {
        await using var site = await StartAsync();
        var seed = await SeedOfAsync(site);
        using var http = Boot(site);
        var template = site.Directory!["templates/cloud-init/meta-data.hbs"];
        Directory.CreateDirectory(Path.GetDirectoryName(template)!);
        var reload = site.Appliance.Services.GetServices<Microsoft.Extensions.Hosting.IHostedService>().OfType<Provisioner.Templates.TemplateReload>().Single();
        async Task<bool> IsOursAsync()
        {
            var served = (await http.GetStringAsync(seed + "meta-data")).StartsWith("# ours\n", StringComparison.Ordinal);
            Assert.Equal(served, (await site.Appliance.RunAsync("render", "web-1", "meta-data")).Succeeded().StartsWith("# ours\n", StringComparison.Ordinal));
            return served;
        }

        File.WriteAllText(template, "# ours\ninstance-id: {{yaml instance}}\nlocal-hostname: {{yaml hostname}}\n");
        Assert.False(await IsOursAsync());
        reload.Load();
        Assert.True(await IsOursAsync());
        File.WriteAllText(template, "# ours\ninstance-id: {{instance}}\n");
        reload.Load();
        Assert.False(await IsOursAsync());
    }

    /// <summary>Provisions the host, fetches its seed and reports its end, as an installer does: what the installed system enrols with.</summary>
    private static async Task<GivenToken> InstalledAsync(CertificateFixture site)
    {
        var seed = await SeedOfAsync(site);
        using var http = Boot(site);
        var userData = await http.GetStringAsync(seed + "user-data");
        await http.PostAsync(seed + "report", new StringContent("stage=installed&state=done"));
        var installation = site.Appliance.Snapshot.Installations["web-1"];
        Assert.NotNull(installation.InstalledAt);
        var token = site.Appliance.Services.GetRequiredService<SeedKey>().TokenOf(installation);
        Assert.Contains(token, userData, StringComparison.Ordinal);
        return new GivenToken(installation.Id, token);
    }

    private static async Task<CertificateFixture> StartAsync(bool diskless = false)
    {
        var site = await CertificateFixture.StartAsync();
        await site.Appliance.Writer.ChangeAsync(editor =>
        {
            editor.Put(new Image(new Metadata(diskless ? "debian" : "ubuntu"), new ImageSpec
            {
                Distribution = diskless ? "debian" : "ubuntu", Version = diskless ? "12" : "24.04", Architecture = CpuArchitecture.X64, Kernel = "vmlinuz",
            })
            {
                Status = new ImageStatus { Files = [new ImageFile("vmlinuz", 1, "aa", CpuArchitecture.X64)] },
            });
            editor.Put(new Profile(new Metadata("worker"), new ProfileSpec
            {
                Image = diskless ? "debian" : "ubuntu",
                Install = new InstallOptions { Diskless = diskless, Users = [new UserOptions { Name = "ops", SshKeys = [Installing.AnswerFixture.SshKey] }] },
            }));
            return editor.Put(new Host(new Metadata("web-1"), new HostSpec { MacAddresses = [Mac], Architecture = CpuArchitecture.X64, Profile = "worker" }));
        });
        return site;
    }

    private static HttpClient Boot(CertificateFixture site) => new() { BaseAddress = new Uri($"http://127.0.0.1:{site.Appliance.BootPort}") };

    // As DHCP would have told: the host was seen at this address.
    private static void Seen(CertificateFixture site) => site.Appliance.Services.GetRequiredService<AddressBook>().Learn(Ipv4Address.Parse("127.0.0.1"), Mac);

    /// <summary>Provisions the host and takes the seed's path from the script its iPXE gets: <c>/seed/…/</c>.</summary>
    private static async Task<string> SeedOfAsync(CertificateFixture site, bool provision = true)
    {
        if (provision)
            await site.PostAsync("hosts/web-1/provision");
        Seen(site);
        using var http = Boot(site);
        var script = await http.GetStringAsync($"/boot/{Mac}/boot.ipxe");
        return Regex.Match(script, "ds=nocloud(-net)?;s=http://127\\.0\\.0\\.1:[0-9]+(?<path>/seed/[^/]+/)", RegexOptions.ExplicitCapture).Groups["path"].Value is { Length: > 0 } path ? path
            : throw new InvalidOperationException(script);
    }

    private static async Task<string> StateOf(CertificateFixture site) => (await site.Appliance.GetAsync("hosts/web-1"))["status"]!["state"]!.GetValue<string>();

    private static int[] PortsOf(CertificateFixture site) => [site.Appliance.SecurePort, site.Appliance.BootPort, site.Appliance.Services.GetRequiredService<SyslogService>().Port];

    private static string Portless(string text, int[] ports) => ports.Aggregate(text, (left, port) => left.Replace($":{port}", $":{Array.IndexOf(ports, port)}", StringComparison.Ordinal));
}
