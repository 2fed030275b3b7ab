using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace Provisioner.Cli;

/// <summary><c>provisioner image import | list | verify</c>.</summary>
internal static class ImageCommands
{
    public static Command Create(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var command = new TeachingCommand("image", "Operating systems to install: import their files, list them, check them.",
            "provisioner image import /usr/lib/debian-installer/images/12/amd64/text --name debian-12",
            "provisioner image verify")
        {
            Import(screen, connect), List(screen, connect), Verify(screen, connect),
        };
        return command;
    }

    private static TeachingCommand Import(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var path = new Argument<string>("PATH") { Description = "A directory with the operating system's netboot files." };
        var name = new Option<string>("--name") { Description = "The image's name. An image of that name gets the new files, all at once.", HelpName = "NAME", Required = true };
        var kernel = new Option<string?>("--kernel") { Description = "Path of the kernel below PATH; found by itself when there is one.", HelpName = "FILE" };
        var initrd = new Option<string[]>("--initrd") { Description = "Path of an initial RAM disk below PATH; may be given more than once, in order.", HelpName = "FILE" };
        var architecture = new Option<string?>("--architecture") { Description = "The processor it is for; the kernel's unless said otherwise.", HelpName = "x86_64|aarch64" };
        var distribution = new Option<string?>("--distribution") { Description = "Such as debian.", HelpName = "WORD" };
        var version = new Option<string?>("--os-version") { Description = "Such as 12.", HelpName = "WORD" };
        var command = new TeachingCommand("import", "Import a directory as an image. Boot files for another processor are refused by name.",
            "provisioner image import /usr/lib/debian-installer/images/12/amd64/text --name debian-12",
            "provisioner image import ./rocky9 --name rocky-9 --kernel images/pxeboot/vmlinuz --initrd images/pxeboot/initrd.img")
        {
            path, name, kernel, initrd, architecture, distribution, version,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var upload = DirectoryUpload.Of(parsed.GetValue(path)!);
            var query = new List<string> { $"size={upload.Bytes.ToString(CultureInfo.InvariantCulture)}" };
            Add(query, "kernel", parsed.GetValue(kernel));
            foreach (var file in parsed.GetValue(initrd) ?? [])
                Add(query, "initrd", file);
            Add(query, "architecture", parsed.GetValue(architecture));
            Add(query, "distribution", parsed.GetValue(distribution));
            Add(query, "version", parsed.GetValue(version));
            var address = $"images/{ApiClient.Escape(parsed.GetValue(name)!)}/import?{string.Join('&', query)}";
            Report(screen, await SendAsync(screen, api, address, upload, cancellation), upload);
            return CommandLine.Done;
        });
        return command;
    }

    private static void Add(List<string> query, string key, string? value)
    {
        if (value is not null)
            query.Add($"{key}={ApiClient.Escape(value)}");
    }

    private static Task<JsonObject> SendAsync(Screen screen, ApiClient api, string address, DirectoryUpload upload, CancellationToken cancellation)
    {
        if (!screen.ShowsProgress)
            return api.PostAsync(address, upload.Content(_ => { }), cancellation);
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(screen.Error) });
        return console.Progress().AutoClear(true).HideCompleted(false)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new DownloadedColumn(), new TransferSpeedColumn())
            .StartAsync(progress =>
            {
                var bar = progress.AddTask("importing", maxValue: Math.Max(1, upload.Bytes));
                return api.PostAsync(address, upload.Content(bytes => bar.Increment(bytes)), cancellation);
            });
    }

    private static void Report(Screen screen, JsonObject image, DirectoryUpload upload)
    {
        var name = image.At("metadata.name");
        screen.Output.WriteLine($"image/{name} imported: {upload.Files} files, {Words.Size(upload.Bytes)}, {image.At("spec.architecture")}");
        foreach (var (label, path) in new[] { ("kernel", "spec.kernel"), ("initrd", "spec.initrd"), ("shim", "spec.bootLoaders.shim"), ("GRUB", "spec.bootLoaders.grub"), ("iPXE", "spec.bootLoaders.ipxe") })
        {
            if (image.At(path) is { Length: > 0 } value)
                screen.Output.WriteLine($"  {label,-7} {value}");
        }
        if (image.At("spec.initrd").Length == 0)
            screen.Error.WriteLine("provisioner: there is no initial RAM disk beside the kernel. Most installers need one: name it with --initrd FILE.");
    }

    private static TeachingCommand List(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var output = ResourceCommands.Output("table", "wide", "yaml", "json");
        var command = new TeachingCommand("list", "List the images: name, architecture, files, size, kernel.", "provisioner image list") { output };
        command.SetAction(async (parsed, cancellation) =>
        {
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
