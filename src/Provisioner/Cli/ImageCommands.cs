using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Provisioner.Images;
using Provisioner.Resources;
using Spectre.Console;

namespace Provisioner.Cli;

/// <summary><c>provisioner image import | pull | list | verify</c>.</summary>
internal static class ImageCommands
{
    private static readonly Listing Catalogue = new("entry", "catalogue", "", "The catalogue is empty.",
    [
        new("NAME", "metadata.name"), new("DISTRIBUTION", "spec.distribution"), new("VERSION", "spec.version"), new("ARCH", "spec.architecture"),
        new("SOURCE", (json, _) => SourceOf(json)), new("MEMORY", "spec.minimumMemory"), new("URL", "spec.source.url", true), new("SHA256", "spec.source.sha256", true),
    ]);

    public static Command Create(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var command = new TeachingCommand("image", "Operating systems to install: import or download them, list them, check them.",
            "provisioner image import /usr/lib/debian-installer/images/12/amd64/text --name debian-12",
            "provisioner image import rhel-9.4-x86_64-dvd.iso --name rhel-9-amd64 --sha256 HEX",
            "provisioner image pull ubuntu-24.04-amd64",
            "provisioner image verify")
        {
            Import(screen, connect), Pull(screen, connect), List(screen, connect), Verify(screen, connect),
        };
        return command;
    }

    private static TeachingCommand Import(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var path = new Argument<string>("PATH") { Description = "An ISO image, or a directory with the operating system's netboot files." };
        var name = new Option<string>("--name") { Description = "The image's name. An image of that name gets the new files, all at once.", HelpName = "NAME", Required = true };
        var kernel = new Option<string?>("--kernel") { Description = "Path of the kernel below PATH; found by itself when there is one.", HelpName = "FILE" };
        var initrd = new Option<string[]>("--initrd") { Description = "Path of an initial RAM disk below PATH; may be given more than once, in order.", HelpName = "FILE" };
        var architecture = new Option<string?>("--architecture") { Description = "The processor it is for; the kernel's unless said otherwise.", HelpName = "x86_64|aarch64" };
        var distribution = new Option<string?>("--distribution") { Description = "Such as debian.", HelpName = "WORD" };
        var version = new Option<string?>("--os-version") { Description = "Such as 12.", HelpName = "WORD" };
        var disc = new DiscOptions();
        var command = new TeachingCommand("import", "Import an ISO image or a directory as an image. Boot files for another processor are refused by name.",
            "provisioner image import /usr/lib/debian-installer/images/12/amd64/text --name debian-12",
            "provisioner image import rhel-9.4-x86_64-dvd.iso --name rhel-9-amd64 --sha256 HEX",
            "provisioner image import rhel-9.4-x86_64-boot.iso --name rhel-9-amd64 --boot-only --install-source http://mirror.example.com/rhel9",
            "provisioner image import ./rocky9 --name rocky-9 --kernel images/pxeboot/vmlinuz --initrd images/pxeboot/initrd.img")
        {
            path, name, disc.Sha256, disc.BootOnly, disc.InstallSource, kernel, initrd, architecture, distribution, version,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var from = parsed.GetValue(path)!;
            var isFile = File.Exists(from);
            ImageUpload upload = isFile ? DiscUpload.Of(from) : DirectoryUpload.Of(from);
            var query = new List<string>();
            if (isFile)
                disc.AddTo(query, parsed, parsed.GetValue(disc.Sha256));
            else if (disc.Given(parsed) is { } option)
                throw new CommandFailedException($"{option} is for an ISO image, and '{from}' is a directory.");
            Add(query, "kernel", parsed.GetValue(kernel));
            foreach (var file in parsed.GetValue(initrd) ?? [])
                Add(query, "initrd", file);
            Add(query, "architecture", parsed.GetValue(architecture));
            Add(query, "distribution", parsed.GetValue(distribution));
            Add(query, "version", parsed.GetValue(version));
            Report(screen, await SendAsync(screen, api, parsed.GetValue(name)!, query, upload, cancellation), isFile);
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Pull(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var name = new Argument<string>("NAME") { Description = "An entry of the catalogue (provisioner image list --catalogue), and the image's name." };
        var url = new Option<string?>("--url") { Description = "Another address of its ISO image, such as a mirror's; for a NAME that is not in the catalogue as well.", HelpName = "URL" };
        var disc = new DiscOptions();
        var command = new TeachingCommand("pull", "Download an ISO image and import it. What breaks off goes on where it was, also in the next run; a checksum is compared before anything is registered.",
            "provisioner image pull ubuntu-24.04-amd64",
            "provisioner image pull ubuntu-24.04-amd64 --url http://mirror.example.com/ubuntu-24.04.4-live-server-amd64.iso",
            "provisioner image pull rocky-9 --url https://mirror.example.com/Rocky-9.4-x86_64-dvd.iso --sha256 HEX")
        {
            name, url, disc.Sha256, disc.BootOnly, disc.InstallSource,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var image = parsed.GetValue(name)!;
            var entry = ImageCatalogue.Find(image);
            var address = parsed.GetValue(url) ?? entry?.Spec.Source?.Url;
            if (address is null)
            {
                throw new CommandFailedException(entry is null
                    ? $"there is no '{Texts.OneLine(image, 64)}' in the catalogue: provisioner image list --catalogue. With --url URL it may have any name."
                    : $"the ISO image of {image} is not to be had without an account. Download it, and: provisioner image import FILE.iso --name {image} --sha256 HEX");
            }
            var sum = parsed.GetValue(disc.Sha256)?.ToLowerInvariant() ?? entry?.Spec.Source?.Sha256;
            using var download = await ImageDownload.OpenAsync(address, sum, line => screen.Error.WriteLine($"provisioner: {line}"), screen.Time, cancellation,
                directory: screen.CacheDirectory);
            var query = new List<string>();
            disc.AddTo(query, parsed, sum);
            // Without its query, where a mirror's key may be.
            Add(query, "url", new Uri(address).GetLeftPart(UriPartial.Path));
            var imported = false;
            try
            {
                var registered = await SendAsync(screen, api, image, query, download, cancellation);
                imported = true;
                Report(screen, registered, isDisc: true);
            }
            finally
            {
                download.Ended(imported, cancellation);
            }
            return CommandLine.Done;
        });
        return command;
    }

    /// <summary>What is said of an ISO image, wherever it comes from.</summary>
    private sealed class DiscOptions
    {
        public Option<string?> Sha256 { get; } = new("--sha256") { Description = "The SHA-256 of the ISO image, from the distribution's own page.", HelpName = "HEX" };

        public Option<bool> BootOnly { get; } = new("--boot-only") { Description = "Take kernel, initrd and boot loaders alone; what is installed comes from a mirror." };

        public Option<string?> InstallSource { get; } = new("--install-source") { Description = "The mirror the installer takes everything else from.", HelpName = "URL" };

        public string? Given(ParseResult parsed) => new Option[] { Sha256, BootOnly, InstallSource }.FirstOrDefault(o => parsed.GetResult(o) is { Implicit: false })?.Name;

        public void AddTo(List<string> query, ParseResult parsed, string? sha256)
        {
            Add(query, "sha256", sha256);
            Add(query, "bootOnly", parsed.GetValue(BootOnly) ? "true" : null);
            Add(query, "installSource", parsed.GetValue(InstallSource));
        }
    }

    private static void Add(List<string> query, string key, string? value)
    {
        if (value is not null)
            query.Add($"{key}={ApiClient.Escape(value)}");
    }

    private static Task<JsonObject> SendAsync(Screen screen, ApiClient api, string name, List<string> query, ImageUpload upload, CancellationToken cancellation)
    {
        query.Add($"size={upload.Bytes.ToString(CultureInfo.InvariantCulture)}");
        var address = $"images/{ApiClient.Escape(name)}/import?{string.Join('&', query)}";
        if (!screen.ShowsProgress)
            return api.PostAsync(address, upload.Content(_ => { }), cancellation);
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(screen.Error) });
        return console.Progress().AutoClear(true).HideCompleted(false)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new DownloadedColumn(), new TransferSpeedColumn())
            .StartAsync(progress =>
            {
                var bar = progress.AddTask(upload is ImageDownload ? "downloading" : "importing", maxValue: Math.Max(1, upload.Bytes));
                var sent = 0L;
                return api.PostAsync(address, upload.Content(bytes =>
                {
                    bar.Increment(bytes);
                    if ((sent += bytes) >= upload.Bytes)
                        bar.Description = "checking and unpacking";
                }), cancellation);
            });
    }

    private static void Report(Screen screen, JsonObject image, bool isDisc)
    {
        var name = image.At("metadata.name");
        var files = image["status"]?["files"] as JsonArray ?? [];
        var bytes = files.Sum(f => f!["size"]!.GetValue<long>());
        screen.Output.WriteLine($"image/{name} imported: {files.Count} files, {Words.Size(bytes)}, {image.At("spec.architecture")}");
        var rows = new List<(string, string)> { ("kernel", "spec.kernel"), ("initrd", "spec.initrd"), ("shim", "spec.bootLoaders.shim"), ("GRUB", "spec.bootLoaders.grub"), ("iPXE", "spec.bootLoaders.ipxe") };
        if (isDisc)
            rows.AddRange([("source", "spec.installSource"), ("memory", "spec.minimumMemory")]);
        foreach (var (label, path) in rows)
        {
            if (image.At(path) is { Length: > 0 } value)
                screen.Output.WriteLine($"  {label,-7} {(value == "." ? "the image itself" : value)}");
        }
        if (isDisc)
        {
            screen.Output.WriteLine($"  system  {image.At("spec.distribution")} {image.At("spec.version")}");
            if (image["status"]?["verified"] is JsonArray verified)
                screen.Output.WriteLine($"  checked against {string.Join(", ", verified.Select(v => v!.ToString()))}");
            else
                screen.Error.WriteLine("provisioner: nothing was known to check the ISO image against. Give its checksum: --sha256 HEX");
            if (image.At("spec.installSource").Length == 0 && image.At("spec.family") == "rhel")
                screen.Error.WriteLine($"provisioner: the installer has no source yet. Set spec.installSource of image {name} to a mirror's URL, or import with --install-source URL.");
            foreach (var trap in image["spec"]?["traps"] as JsonArray ?? [])
            {
                foreach (var (line, i) in screen.Wrap(trap!.ToString(), 4).Select((line, i) => (line, i)))
                    screen.Output.WriteLine($"  {(i == 0 ? "!" : " ")} {line}");
            }
        }
        if (image.At("spec.initrd").Length == 0)
            screen.Error.WriteLine("provisioner: there is no initial RAM disk beside the kernel. Most installers need one: name it with --initrd FILE.");
    }

    private static string SourceOf(JsonObject entry) => entry.At("spec.source.iso") == "bring" ? "bring the ISO" : entry.At("spec.source.url").Length > 0 ? "pull" : "a directory";

    private static TeachingCommand List(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var output = ResourceCommands.Output("table", "wide", "yaml", "json");
        var catalogue = new Option<bool>("--catalogue") { Description = "What is known and may be imported, in place of what is there. Needs no service; -o yaml tells all of it." };
        var command = new TeachingCommand("list", "List the images: name, architecture, files, size, kernel.",
            "provisioner image list",
            "provisioner image list --catalogue -o wide")
        {
            output, catalogue,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            if (parsed.GetValue(catalogue))
            {
                Catalogue.Write(screen, [.. ImageCatalogue.Entries.Select(ResourceWriter.ToJson)], parsed.GetValue(output)!);
                return CommandLine.Done;
            }
            using var api = connect(parsed);
            Listing.Find("images")!.Write(screen, await api.ListAsync("images", cancellation), parsed.GetValue(output)!);
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Verify(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var name = new Argument<string?>("NAME") { Description = "One image; without it, all.", Arity = ArgumentArity.ZeroOrOne };
        var command = new TeachingCommand("verify", "Read every imported file again and name what differs from its import.",
            "provisioner image verify",
            "provisioner image verify debian-12")
        {
            name,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var address = parsed.GetValue(name) is { } one ? $"images/{ApiClient.Escape(one)}/verify" : "images/verify";
            var verified = (await api.PostAsync(address, new JsonObject(), cancellation))["items"]!.AsArray();
            var differences = 0;
            foreach (var image in verified.Select(i => i!.AsObject()))
            {
                var wrong = image["differences"]!.AsArray();
                differences += wrong.Count;
                screen.Output.WriteLine(wrong.Count == 0
                    ? $"image/{image.At("image")} {screen.Green("is as imported")}: {image.At("files")} files, {Words.Size(image["bytes"]!.GetValue<long>())}"
                    : $"image/{image.At("image")} {screen.Red("differs")}:");
                foreach (var difference in wrong)
                    screen.Output.WriteLine($"  {difference}");
            }
            if (verified.Count == 0)
                screen.Error.WriteLine(Listing.Find("images")!.WhenEmpty);
            return differences == 0 ? CommandLine.Done
                : throw new CommandFailedException($"{differences} {(differences == 1 ? "file is" : "files are")} not as imported. Import the image again.");
        });
        return command;
    }
}
