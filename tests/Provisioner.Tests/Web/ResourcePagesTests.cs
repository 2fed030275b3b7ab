using System.Net;
using Deque.AxeCore.Playwright;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Provisioner.Auth;
using Provisioner.Aws;
using Provisioner.Aws.Credentials;
using Provisioner.Clusters;
using Provisioner.Images;
using Provisioner.Installing;
using Provisioner.Joining;
using Provisioner.Profiles;
using Provisioner.Resources;
using Provisioner.Storage;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Aws;
using Provisioner.Tests.Images;
using static Microsoft.Playwright.Assertions;

namespace Provisioner.Tests.Web;

/// <summary>Profiles, images, networks and clusters in a real browser: forms, YAML, uploads, checks.</summary>
public sealed class ResourcePagesTests(Chromium chromium) : IClassFixture<Chromium>, IAsyncLifetime
{
    private const string Hash = "$6$saltsalt$NAL8aTCDgsYbDeJoDs1Eb3WdgCoR0AHkRqNXeUMB2oS4tcxFzRcYKPYWpTjMW0VTWXKQcYSuEMGzKTiODY4Db1";

    private RunningAppliance appliance = null!;

    private string Root => $"https://localhost:{appliance.SecurePort}";

    public async ValueTask InitializeAsync()
    {
        Chromium.SkipWithout();
        appliance = await StartAsync();
        await ConsoleSite.BuildAsync(appliance);
        await appliance.Writer.ChangeAsync(editor =>
        {
            editor.Put(new Cluster(new Metadata("prod"), new ClusterSpec { Region = "eu-west-1", KubernetesVersion = "1.34" }));
            editor.Put(new Profile(new Metadata("full"), new ProfileSpec
            {
                Image = "ubuntu-24.04", Cluster = "prod",
                Node = new NodeOptions { KubeletConfig = """{"maxPods":50}""", Labels = System.Collections.Immutable.ImmutableSortedDictionary<string, string>.Empty.Add("team", "a"), Taints = [new Taint { Key = "gpu", Effect = TaintEffect.NoSchedule }] },
                Install = new InstallOptions { Users = [new UserOptions { Name = "ops", PasswordHash = Hash }], After = "echo one\necho two\n", Disk = new DiskOptions() },
            }));
            return 0;
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (appliance is not null)
            await appliance.DisposeAsync();
    }

    [Fact]
    public async Task A_profile_is_made_by_the_form_and_is_the_same_as_YAML()
    {
        var page = await OpenAsync("/resources/profiles/+");
        await Field(page, "metadata.name").FillAsync("lean");
        await page.GetByRole(AriaRole.Button, new() { Name = "Remove install" }).ClickAsync();
        // Whoever goes by keyboard is where the part was.
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Add install" })).ToBeFocusedAsync();
        await Expect(Field(page, "spec.image").Locator("option")).ToHaveTextAsync(["ubuntu-24.04", "ubuntu-24.04-amd64"], new() { UseInnerText = true });
        await Expect(Wrong(page, "spec.image")).ToContainTextAsync("ubuntu-24.04-amd64");
        await Field(page, "spec.image").SelectOptionAsync("ubuntu-24.04");
        await page.GetByRole(AriaRole.Button, new() { Name = "Add boot" }).ClickAsync();
        await Field(page, "spec.boot.local").SelectOptionAsync("exit");
        await Field(page, "spec.boot.kernelArguments").PressSequentiallyAsync("console=ttyS0\nquiet");
        await page.GetByRole(AriaRole.Button, new() { Name = "Add to labels" }).ClickAsync();
        await page.GetByLabel("Key 1 of labels").PressSequentiallyAsync("team");
        await page.GetByLabel("Value 1 of labels").PressSequentiallyAsync("platform");
        await Expect(page.Locator(".mistakes")).ToHaveTextAsync("Nothing is wrong with it.");

        await page.GetByRole(AriaRole.Tab, new() { Name = "YAML" }).ClickAsync();
        var yaml = page.GetByLabel("As YAML");
        await Expect(yaml).ToHaveValueAsync("""
            apiVersion: provisioner/v1
            kind: Profile
            metadata:
              name: lean
              labels:
                team: platform
            spec:
              image: ubuntu-24.04
              boot:
                local: exit
                kernelArguments:
                  - console=ttyS0
                  - quiet

            """.ReplaceLineEndings("\n"));
        await yaml.FillAsync((await yaml.InputValueAsync()).Replace("exit", "sanboot # of the old ones", StringComparison.Ordinal));
        await page.GetByRole(AriaRole.Tab, new() { Name = "Form" }).ClickAsync();
        await Expect(Field(page, "spec.boot.local")).ToHaveValueAsync("sanboot");
        await Expect(Field(page, "spec.boot.kernelArguments")).ToHaveValueAsync("console=ttyS0\nquiet");
        await page.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Profile lean" })).ToBeVisibleAsync();
        var made = appliance.Snapshot.Profiles["lean"];
        Assert.Equal((Provisioner.Boot.LocalBoot.Sanboot, "platform"), (made.Spec.Boot!.Local!.Value, made.Metadata.Labels["team"]));
        Assert.Equal(["console=ttyS0", "quiet"], made.Spec.Boot.KernelArguments);
        Assert.Contains(appliance.EventLog.Find(new EventQuery()), e => e.Subject == "Profile/lean" && e.Actor == "user/ada");
        // What is stored keeps its name.
        await Expect(Field(page, "metadata.name")).Not.ToBeEditableAsync();
    }

    [Fact]
    public async Task What_is_wrong_stands_at_its_field_and_cannot_be_saved()
    {
        var page = await OpenAsync("/resources/networks/hall1");
        var save = page.GetByRole(AriaRole.Button, new() { Name = "Save" });
        await Field(page, "spec.subnet").FillAsync("10.20.0.0/33");
        await Expect(Wrong(page, "spec.subnet")).ToContainTextAsync("is not an IPv4 subnet. Expected: a subnet such as 10.77.0.0/24");
        await Expect(Field(page, "spec.subnet")).ToHaveAttributeAsync("aria-invalid", "true");
        await Expect(save).ToBeDisabledAsync();
        await Field(page, "spec.subnet").FillAsync("");
        await Expect(Wrong(page, "spec.subnet")).ToContainTextAsync("the key 'subnet' is missing");
        await Field(page, "spec.subnet").FillAsync("10.20.0.0/24");
        // What must hold between fields is told at the field that breaks it.
        await Field(page, "spec.range").FillAsync("10.21.0.5-10.21.0.9");
        await Expect(Wrong(page, "spec.range")).ToContainTextAsync("is not a host's address in 10.20.0.0/24");
        await Field(page, "spec.range").FillAsync("10.20.0.5-10.20.0.9");
        await Field(page, "spec.tftpBlockSize").FillAsync("many");
        await Expect(Wrong(page, "spec.tftpBlockSize")).ToContainTextAsync("a whole number from 512 to 65464");
        await Field(page, "spec.tftpBlockSize").FillAsync("1024");
        await Field(page, "spec.dns").FillAsync("10.20.0.1\n10.20.0.999");
        await Expect(Wrong(page, "spec.dns")).ToContainTextAsync("'10.20.0.999' is not an IPv4 address");
        await Expect(save).ToBeDisabledAsync();
        await Field(page, "spec.dns").FillAsync("10.20.0.1");
        await Field(page, "spec.allowUnknown").CheckAsync();
        await Field(page, "spec.dhcp").SelectOptionAsync("reserve");
        // A key that is there twice is no label, whatever it says.
        await page.GetByRole(AriaRole.Button, new() { Name = "Add to labels" }).ClickAsync();
        await page.GetByLabel("Key 1 of labels").FillAsync("a");
        await page.GetByRole(AriaRole.Button, new() { Name = "Add to labels" }).ClickAsync();
        await page.GetByLabel("Key 2 of labels").FillAsync("a");
        await page.GetByLabel("Value 2 of labels").FillAsync("b");
        await Expect(page.Locator("[id='field-metadata.labels-wrong']")).ToContainTextAsync("'a' is there twice");
        await Expect(save).ToBeDisabledAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Remove labels 2" }).ClickAsync();
        await save.ClickAsync();
        await Expect(page.Locator(".mud-snackbar")).ToContainTextAsync("is saved");
        var spec = appliance.Snapshot.Networks["hall1"].Spec;
        Assert.Equal(("10.20.0.5-10.20.0.9", 1024, true, Provisioner.Networks.DhcpMode.Reserve), (spec.Range.ToString(), spec.TftpBlockSize, spec.AllowUnknown, spec.Dhcp));
    }

    [Fact]
    public async Task What_the_form_cannot_show_is_kept_and_edited_as_YAML()
    {
        var page = await OpenAsync("/resources/profiles/full");
        // A secret is never shown again, nor is it in the page.
        await Expect(Field(page, "spec.install.users[0].name")).ToHaveValueAsync("ops");
        await Expect(Field(page, "spec.install.users[0].passwordHash")).ToHaveValueAsync("");
        Assert.DoesNotContain(Hash[..20], await page.ContentAsync(), StringComparison.Ordinal);
        await page.GetByRole(AriaRole.Button, new() { Name = "Edit kubeletConfig as YAML" }).ClickAsync();
        var yaml = page.GetByLabel("As YAML");
        var text = (await yaml.InputValueAsync()).Replace("maxPods: 50", "maxPods: 50   # of 110\n      mystery: { deep: [1, { x: y }] }", StringComparison.Ordinal);
        await yaml.FillAsync(text);
        await page.GetByRole(AriaRole.Tab, new() { Name = "Form" }).ClickAsync();
        await Field(page, "spec.install.timeZone").FillAsync("Europe/Madrid");
        await Field(page, "spec.install.users[0].passwordHash").FillAsync("new");
        await Expect(Wrong(page, "spec.install.users[0].passwordHash")).ToBeVisibleAsync();
        // Cleared again, what was there stays.
        await Field(page, "spec.install.users[0].passwordHash").FillAsync("");
        await page.GetByRole(AriaRole.Button, new() { Name = "Add to users" }).ClickAsync();
        await Expect(Wrong(page, "spec.install.users[1].name")).ToContainTextAsync("is missing");
        await page.GetByRole(AriaRole.Button, new() { Name = "Remove users 2" }).ClickAsync();
        await page.GetByRole(AriaRole.Tab, new() { Name = "YAML" }).ClickAsync();
        await Expect(yaml).ToHaveValueAsync(text.Replace("timeZone: UTC", "timeZone: Europe/Madrid", StringComparison.Ordinal));

        await yaml.FillAsync("spec: [");
        await page.GetByRole(AriaRole.Tab, new() { Name = "Form" }).ClickAsync();
        await Expect(page.GetByText("The form cannot show what is written")).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Put it right as YAML" }).ClickAsync();
        await Expect(yaml).ToHaveValueAsync("spec: [");
        await yaml.FillAsync(text + "unknown: key\n");
        await page.GetByRole(AriaRole.Tab, new() { Name = "Form" }).ClickAsync();
        await Expect(page.Locator(".mistakes")).ToContainTextAsync("there is no key 'unknown'");
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Save" })).ToBeDisabledAsync();
    }

    [Fact]
    public async Task What_somebody_else_changed_meanwhile_is_not_overwritten()
    {
        var page = await OpenAsync("/resources/networks/hall1");
        await Field(page, "spec.domain").FillAsync("mine.example.com");
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Save" })).ToBeEnabledAsync();
        var (status, body) = await appliance.ApplyAsync("apiVersion: provisioner/v1\nkind: Network\nmetadata: { name: hall1 }\nspec: { subnet: 10.20.0.0/24, interface: lab0, domain: theirs.example.com }\n");
        Assert.True(status == 200, body.ToJsonString());
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("changed by somebody else");
        await Expect(Field(page, "spec.domain")).ToHaveValueAsync("mine.example.com");
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Save" })).ToBeDisabledAsync();
        Assert.Equal("theirs.example.com", appliance.Snapshot.Networks["hall1"].Spec.Domain);
        await page.GetByRole(AriaRole.Button, new() { Name = "Show theirs" }).ClickAsync();
        await Expect(Field(page, "spec.domain")).ToHaveValueAsync("theirs.example.com");
    }

    [Fact]
    public async Task A_viewer_looks_on()
    {
        var page = await OpenAsync("/resources/profiles/full", Role.Viewer);
        await Expect(page.GetByText("Your role, viewer, looks on. An admin changes it.")).ToBeVisibleAsync();
        await Expect(Field(page, "spec.image")).ToBeDisabledAsync();
        await Expect(Field(page, "spec.install.locale")).Not.ToBeEditableAsync();
        foreach (var editing in new[] { "Save", "Delete", "Add", "Remove" })
            await Expect(page.GetByRole(AriaRole.Button, new() { Name = editing })).ToHaveCountAsync(0);
        await page.GetByRole(AriaRole.Tab, new() { Name = "YAML" }).ClickAsync();
        await Expect(page.GetByLabel("As YAML")).Not.ToBeEditableAsync();
        Assert.DoesNotContain(Hash[..20], await page.GetByLabel("As YAML").InputValueAsync(), StringComparison.Ordinal);
        await page.GotoAsync(Root + "/images/import");
        await Chromium.LiveAsync(page);
        await Expect(page.GetByText("Your role, viewer, looks on. An admin imports images.")).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Upload" })).ToHaveCountAsync(0);
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Download" })).ToHaveCountAsync(0);
    }

    [Fact]
    public async Task An_ISO_image_is_uploaded_with_progress_cancelled_and_refused()
    {
        Discs.SkipWithoutTools();
        using var directory = new TemporaryDirectory();
        var files = Discs.RedHat();
        files["AppStream/Packages/large.rpm"] = new byte[12_000_000];
        var iso = Discs.Make(directory.Path, files);
        var page = await OpenAsync("/images/import");
        var devtools = await page.Context.NewCDPSessionAsync(page);
        await ThrottleAsync(1_500_000);
        var upload = page.GetByRole(AriaRole.Button, new() { Name = "Upload and import" });
        await Expect(upload).ToBeDisabledAsync();
        await page.GetByLabel("ISO image", new() { Exact = true }).SetInputFilesAsync(iso);
        await page.GetByLabel("Name", new() { Exact = true }).FillAsync("Rhel 9");
        await Expect(page.GetByText("is not an RFC 1123 name")).ToBeVisibleAsync();
        await page.GetByLabel("Name", new() { Exact = true }).FillAsync("rhel-9");
        await page.GetByLabel("SHA-256").FillAsync("abc");
        await Expect(page.GetByText("has 3 characters instead of 64")).ToBeVisibleAsync();
        await Expect(upload).ToBeDisabledAsync();
        await page.GetByLabel("SHA-256").FillAsync("");
        await upload.ClickAsync();
        // How far it is, as the service has it.
        await Expect(page.Locator(".import progress")).ToBeVisibleAsync();
        await FarAsync(page);
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel the upload" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("cancelled");
        await Expect(page.Locator(".import").First).ToContainTextAsync("broke off");
        await NothingStagedAsync();
        Assert.False(appliance.Snapshot.Images.ContainsKey("rhel-9"));

        await ThrottleAsync(-1);
        await page.GetByLabel("SHA-256").FillAsync(new string('0', 64));
        await upload.ClickAsync();
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("was to be expected");
        await Expect(page.Locator(".import").First).ToContainTextAsync("was refused");
        await page.GetByLabel("SHA-256").FillAsync(Discs.Sha256(await File.ReadAllBytesAsync(iso)));
        await upload.ClickAsync();
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("rhel-9 is imported.");
        var image = appliance.Snapshot.Images["rhel-9"];
        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), image.Status.Files.Select(f => f.Path));
        Assert.Contains(appliance.EventLog.Find(new EventQuery()), e => e.Subject == "Image/rhel-9" && e.Actor == "user/ada");

        var other = Path.Combine(directory.Path, "notes.iso");
        await File.WriteAllTextAsync(other, new string('x', 100_000));
        await page.GetByLabel("ISO image", new() { Exact = true }).SetInputFilesAsync(other);
        await page.GetByLabel("SHA-256").FillAsync("");
        await upload.ClickAsync();
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("This is no ISO image");
        await NothingStagedAsync();
        // The image of that name is as it was.
        Assert.Equal(image.Status.Generation, appliance.Snapshot.Images["rhel-9"].Status.Generation);
        await page.GetByRole(AriaRole.Link, new() { Name = "Look at it" }).ClickAsync();
        await Expect(Field(page, "spec.version")).ToHaveValueAsync("9.4");

        Task ThrottleAsync(int bytesPerSecond) => devtools.SendAsync("Network.emulateNetworkConditions",
            new Dictionary<string, object> { ["offline"] = false, ["latency"] = 0, ["downloadThroughput"] = -1, ["uploadThroughput"] = bytesPerSecond });
    }

    [Fact]
    public async Task What_the_catalogue_has_is_downloaded_cancelled_and_compared()
    {
        Discs.SkipWithoutTools();
        using var directory = new TemporaryDirectory();
        var files = Discs.Ubuntu();
        files["casper/large.squashfs"] = new byte[8_000_000];
        var bytes = await File.ReadAllBytesAsync(Discs.Make(directory.Path, files));
        var mirror = new Mirror(bytes) { Pause = TimeSpan.FromMilliseconds(100) };
        await appliance.DisposeAsync();
        appliance = await StartAsync(services => services.AddSingleton(new PullWire(mirror.Connect)));
        var page = await OpenAsync("/images/import");
        await page.GetByRole(AriaRole.Button, new() { Name = "Download ubuntu-24.04-amd64" }).ClickAsync();
        await FarAsync(page);
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel ubuntu-24.04-amd64" }).ClickAsync();
        await Expect(page.Locator(".import").First).ToContainTextAsync("broke off");
        await NothingStagedAsync();
        // Whatever the mirror gives, it is not the disc that the catalogue knows.
        mirror.Pause = TimeSpan.Zero;
        await page.GetByRole(AriaRole.Button, new() { Name = "Download ubuntu-24.04-amd64" }).ClickAsync();
        await Expect(page.Locator(".import").First).ToContainTextAsync($"{ImageCatalogue.Find("ubuntu-24.04-amd64")!.Spec.Source!.Sha256} was to be expected");
        Assert.Equal(["releases.ubuntu.com"], mirror.Asked.Distinct());
        Assert.Empty(appliance.Snapshot.Images);
        await NothingStagedAsync();
    }

    [Fact]
    public async Task A_cluster_is_checked_and_each_finding_says_what_to_do()
    {
        await using var site = await AwsSite.StartAsync();
        var page = await OpenAsync("/resources/clusters/prod", Role.Operator, of: site.Appliance);
        var check = page.GetByRole(AriaRole.Button, new() { Name = "Check" });
        await check.ClickAsync();
        await Expect(page.Locator(".finding").Filter(new() { HasText = "anchor-missing" })).ToContainTextAsync("Do: provisioner aws apply prod");
        (await site.Appliance.RunAsync("aws", "apply", "prod")).Succeeded();
        await check.ClickAsync();
        await Expect(page.GetByText("Nothing wrong is found in AWS.")).ToBeVisibleAsync();
        await Expect(page.Locator(".finding")).ToHaveCountAsync(0);
        // No cluster answers at the endpoint it has now.
        await Expect(page.GetByText("Not reached")).ToBeVisibleAsync();
        var viewer = await OpenAsync("/resources/clusters/prod", Role.Viewer, of: site.Appliance);
        await Expect(viewer.GetByText("An operator checks clusters.")).ToBeVisibleAsync();
        await Expect(viewer.GetByRole(AriaRole.Button, new() { Name = "Check" })).ToHaveCountAsync(0);
    }

    [Fact]
    public async Task An_AWS_that_cannot_be_reached_is_an_error_that_says_what_to_do()
    {
        var page = await OpenAsync("/resources/clusters/prod", Role.Operator);
        await page.GetByRole(AriaRole.Button, new() { Name = "Check" }).ClickAsync();
        await Expect(page.Locator(".problem")).ToContainTextAsync("Set 'aws.credentials' in its configuration");
        await appliance.DisposeAsync();
        appliance = await StartAsync(services => services.AddSingleton<IAwsCredentials>(new AnyKeys()), new AwsOptions { Endpoint = $"http://127.0.0.1:{Provisioner.Tests.Kubernetes.KubeApi.FreePort()}" });
        await appliance.ApplyAsync(AwsSite.Cluster);
        page = await OpenAsync("/resources/clusters/prod", Role.Operator);
        await page.GetByRole(AriaRole.Button, new() { Name = "Check" }).ClickAsync();
        // Meanwhile the page goes on.
        await page.GetByRole(AriaRole.Tab, new() { Name = "YAML" }).ClickAsync();
        await Expect(page.GetByLabel("As YAML")).ToBeVisibleAsync();
        await Expect(page.Locator("[role=status] .problem")).ToContainTextAsync("Let the appliance reach it (DNS, proxy, firewall, aws.endpoint), then check again", new() { Timeout = 60_000 });
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Check again" })).ToBeVisibleAsync();
    }

    [Theory]
    [InlineData(390, false)]
    [InlineData(390, true)]
    [InlineData(1440, false)]
    [InlineData(1440, true)]
    public async Task Forms_uploads_and_checks_are_without_barriers_and_fit(int width, bool dark)
    {
        var page = await chromium.SignInAsync(appliance, "ada", Role.Admin, width, 900, dark);
        var wrong = new List<string>();
        foreach (var path in new[] { "/resources/profiles/full", "/resources/networks/+", "/resources/networks/hall1?view=yaml", "/resources/clusters/prod", "/resources/hosts/r1-n01", "/resources/images/ubuntu-24.04", "/images/import", "/resources/images" })
        {
            await page.GotoAsync(Root + path);
            await Chromium.LiveAsync(page);
            if (dark)
                await Expect(page.GetByLabel("Light colours")).ToBeVisibleAsync();
            if (path == "/resources/networks/+")
                await Field(page, "spec.subnet").FillAsync("wrong");
            if (path.EndsWith("/prod", StringComparison.Ordinal))
                await page.GetByRole(AriaRole.Button, new() { Name = "Check" }).ClickAsync();
            var found = await page.RunAxe();
            wrong.AddRange(found.Violations.SelectMany(v => v.Nodes.Select(n => $"{path}: {v.Id}: {v.Help}: {n.Html[..Math.Min(200, n.Html.Length)]} {string.Join(" ", n.Any.Select(a => a.Message))}")).Take(6));
            var over = await page.EvaluateAsync<int>("() => document.documentElement.scrollWidth - document.documentElement.clientWidth");
            if (over > 0)
                wrong.Add($"{path}: {over} pixels wider than the screen");
            await Chromium.PictureAsync(page, $"forms{path.Replace('/', '-').Replace("+", "new", StringComparison.Ordinal).Replace('?', '-')}-{width}{(dark ? "-dark" : "")}");
        }
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }

    private static Task<RunningAppliance> StartAsync(Action<IServiceCollection>? more = null, AwsOptions? aws = null) =>
        RunningAppliance.StartAsync(access: new AccessOptions { RequestsPerMinute = 100_000 }, more: more, aws: aws);

    private async Task<IPage> OpenAsync(string path, Role role = Role.Admin, RunningAppliance? of = null)
    {
        var page = await chromium.SignInAsync(of ?? appliance, role switch { Role.Admin => "ada", Role.Operator => "olga", _ => "vera" }, role);
        await page.GotoAsync($"https://localhost:{(of ?? appliance).SecurePort}{path}");
        await Chromium.LiveAsync(page);
        return page;
    }

    private static ILocator Field(IPage page, string path) => page.Locator($"[id='field-{path}']");

    private static ILocator Wrong(IPage page, string path) => page.Locator($"[id='field-{path}-wrong']");

    // The service hears of a broken connection a moment later than the browser.
    private async Task NothingStagedAsync()
    {
        var staging = Path.Combine(appliance.DataDirectory, "images", ".staging");
        for (var i = 0; i < 100 && Directory.Exists(staging) && Directory.EnumerateFileSystemEntries(staging).Any(); i++)
            await Task.Delay(100);
        Assert.False(Directory.Exists(staging) && Directory.EnumerateFileSystemEntries(staging).Any(), "something is left of it");
    }

    /// <summary>Waits until a part of it is here, and reads how much.</summary>
    private static async Task FarAsync(IPage page)
    {
        var far = page.Locator(".import .far");
        await Expect(far).ToContainTextAsync(" MB of ");
        var said = await far.InnerTextAsync();
        Assert.InRange(int.Parse(said[..said.IndexOf(" %", StringComparison.Ordinal)], System.Globalization.CultureInfo.InvariantCulture), 1, 99);
    }

    private sealed class AnyKeys : IAwsCredentials
    {
        public bool IsConfigured => true;

        public ValueTask<AwsKeys> GetAsync(CancellationToken cancellation) => ValueTask.FromResult(new AwsKeys("AKIAEXAMPLE", "secret", null, null));
    }

    /// <summary>A server that has one file for every address, and gives it as slowly as it is told.</summary>
    private sealed class Mirror(byte[] file)
    {
        public TimeSpan Pause { get; set; }

        public System.Collections.Concurrent.ConcurrentQueue<string> Asked { get; } = [];

        /// <summary>The way to it, for one download.</summary>
        public HttpMessageHandler Connect() => new Wire(this);

        private sealed class Wire(Mirror mirror) : HttpMessageHandler
        {
            protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
            {
                mirror.Asked.Enqueue(request.RequestUri!.Host);
                var content = new StreamContent(new Slow(mirror.file, mirror.Pause));
                content.Headers.ContentLength = mirror.file.Length;
                return Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = content });
            }
        }

        private sealed class Slow(byte[] file, TimeSpan pause) : MemoryStream(file)
        {
            public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
            {
                await Task.Delay(pause, cancellationToken);
                return await base.ReadAsync(buffer[..Math.Min(buffer.Length, 128 * 1024)], cancellationToken);
            }
        }

        private readonly byte[] file = file;
    }
}
