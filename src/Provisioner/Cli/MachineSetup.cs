using System.Diagnostics;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Appliance;
using Provisioner.Appliance.Setup;
using Provisioner.Backup;
using Provisioner.Backup.Age;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Cli;

/// <summary>
/// The set-up of the appliance's own machine, in two steps: what is written before network and service start, and what the service is asked for when it
/// runs. Each can be cut off anywhere and done again.
/// </summary>
internal sealed class MachineSetup(Screen screen, SetupPlaces places, Func<ApiClient> connect)
{
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private static readonly TimeSpan ServiceStartsWithin = TimeSpan.FromMinutes(10), Look = TimeSpan.FromSeconds(1);

    /// <summary>Whether this machine was set up.</summary>
    public bool IsDone => File.Exists(places.Done);

    /// <summary>Writes what the answers that this machine was given say, before anything runs; without answers, nothing.</summary>
    public async Task PrepareAsync(CancellationToken cancellation)
    {
        var (text, source) = await FindAnswersAsync();
        if (text is null)
        {
            screen.Output.WriteLine($"There are no answers for this machine, neither by the credential provisioner.setup nor on a volume with the label {SetupPlaces.VolumeLabel}: the console asks.");
            return;
        }
        var answers = Read(text, source);
        await WriteAsync(answers, text, cancellation);
        screen.Output.WriteLine($"Set up by {source}: {answers.HostName}, {answers.Provisioning.Address?.ToString() ?? "its address by DHCP"}.");
    }

    /// <summary>Sets up a machine that runs, by the file of answers.</summary>
    public async Task ApplyAsync(string file, CancellationToken cancellation)
    {
        var text = ReadFile(file);
        await ApplyAsync(Read(text, file), text, cancellation);
    }

    /// <summary>Asks a person, and sets this machine up by what is answered.</summary>
    /// <returns>False when nothing was changed.</returns>
    public async Task<bool> AskAsync(CancellationToken cancellation)
    {
        await MountVolumeAsync();
        var before = IsDone ? Read(ReadFile(places.Done), places.Done) : new SetupAnswers();
        var terminal = new SetupTerminal(screen.Output, screen.Input.ReadLine, Secret);
        if (new SetupQuestions(terminal).Ask(before, WiredLink.Find(places.Links), zone => File.Exists(places.Zone(zone))) is not { } answers)
        {
            screen.Output.WriteLine("Nothing was changed.");
            return false;
        }
        await ApplyAsync(answers, YamlWriter.Write(SetupFields.Answers.Write(answers.WithoutSecrets())), cancellation);
        return true;
    }

    /// <summary>Has the running service do its part: it imports the images that came with this system, and takes what the answers ask for.</summary>
    public async Task FinishAsync(CancellationToken cancellation)
    {
        using var api = connect();
        await WaitForServiceAsync(api, cancellation);
        await ImportImagesAsync(api, cancellation);
        if (!File.Exists(places.Pending))
            return;
        var answers = Read(ReadFile(places.Pending), places.Pending);
        if (answers.Restore is null)
        {
            if (NetworkOf(answers) is { } network)
                await SendAsync(api, network, cancellation);
            if (answers.Administrator is { } administrator && (await api.ListAsync("users", cancellation)).All(u => u.At("name") != administrator.Name))
            {
                await api.PostAsync("users", new JsonObject { ["name"] = administrator.Name, ["role"] = Auth.Roles.Admin, ["password"] = administrator.Password }, cancellation);
                screen.Output.WriteLine($"user/{administrator.Name} added as {Auth.Roles.Admin}");
            }
        }
        if (answers.Resources is { } resources)
            await SendAsync(api, resources, cancellation);
        File.Delete(places.Pending);
    }

    /// <summary>Where people go on.</summary>
    public async Task ShowAsync(CancellationToken cancellation)
    {
        using var api = connect();
        var ca = await api.GetAsync("ca", cancellation);
        screen.Output.WriteLine($"{Environment.MachineName}: the console is at");
        foreach (var address in Addresses())
            screen.Output.WriteLine($"  https://{address}:8443/");
        if (ca.At("whyNotIssuing") is { Length: > 0 } whyNot)
            screen.Output.WriteLine($"  It waits: {whyNot}.");
        foreach (var authority in ca["authorities"]!.AsArray().Select(a => a!.AsObject()).Where(a => a.At("fingerprint").Length == 64))
        {
            screen.Output.WriteLine($"Its certificate is signed by {authority.At("subject")}, SHA-256");
            screen.Output.WriteLine($"  {string.Join(':', authority.At("fingerprint").ToUpperInvariant().Chunk(2).Take(16).Select(c => new string(c)))}");
            screen.Output.WriteLine($"  {string.Join(':', authority.At("fingerprint").ToUpperInvariant().Chunk(2).Skip(16).Select(c => new string(c)))}");
        }
    }

    /// <summary>The link that makes the first admin, by this machine's name and by its address; why there is none otherwise.</summary>
    public async Task ShowLinkAsync(CancellationToken cancellation)
    {
        using var api = connect();
        try
        {
            var link = (await api.PostAsync("setup-link", [], cancellation)).At("link");
            screen.Output.WriteLine("The first admin is made here, once. A link that was shown before is worth nothing now:");
            screen.Output.WriteLine($"  {link}");
            // Nobody's name server knows this machine's name yet.
            if (Uri.TryCreate(link, UriKind.Absolute, out var uri) && Addresses().FirstOrDefault() is { } address)
                screen.Output.WriteLine($"  {new UriBuilder(uri) { Host = address }.Uri.AbsoluteUri}");
        }
        catch (CommandFailedException refused)
        {
            screen.Output.WriteLine(refused.Message);
        }
    }

    private async Task ApplyAsync(SetupAnswers answers, string text, CancellationToken cancellation)
    {
        // Data are not exchanged under a service that runs.
        if (answers.Restore is not null)
            await RunAsync("systemctl", "stop", "provisioner.service");
        try
        {
            await WriteAsync(answers, text, cancellation);
            await RunAsync("networkctl", "reload");
            if (Link(answers) is { } link)
                await RunAsync("networkctl", "reconfigure", link.Name);
        }
        finally
        {
            await RunAsync("systemctl", "restart", "provisioner.service");
        }
        await FinishAsync(cancellation);
    }

    /// <summary>Everything that is written. What says that it was done comes last.</summary>
    private async Task WriteAsync(SetupAnswers answers, string text, CancellationToken cancellation)
    {
        try
        {
            if (!File.Exists(places.Zone(answers.TimeZone)))
                throw new ChangeRefusedException(RefusalKind.Invalid, [new Mistake($"there is no time zone '{answers.TimeZone}' on this machine") { Path = "timeZone", Expected = MachineZone }]);
            var link = Link(answers);
            var before = File.Exists(places.Configuration) ? File.ReadAllText(places.Configuration) : "";
            // What is wrong with it is said before anything is restored.
            var configuration = SetupFiles.Configuration(answers, before);
            if (answers.Restore is { } restore && await RestoreAsync(restore, cancellation) is { } restored)
            {
                try
                {
                    configuration = SetupFiles.Configuration(answers, restored);
                }
                catch (ChangeRefusedException refused)
                {
                    screen.Output.WriteLine($"The backup's configuration is left where it was restored to, because with this machine's settings it is none: {refused.Mistakes[0]}");
                }
            }
            if (link is not null)
                SetupPlaces.Write(places.NetworkUnit, SetupFiles.NetworkUnit(answers, link), Readable);
            SetupPlaces.Write(places.Configuration, configuration, Readable);
            SetupPlaces.Write(places.Pending, text, Private);
            SetupPlaces.Write(places.Done, YamlWriter.Write(SetupFields.Answers.Write(answers.WithoutSecrets())), Readable);
        }
        catch (ChangeRefusedException refused)
        {
            throw new CommandFailedException([.. refused.Mistakes.Select(m => m.ToString())]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"the set-up cannot be written: {e.Message}");
        }
    }

    private const string MachineZone = "a name of the tz database such as Europe/Zurich, or UTC";

    /// <returns>The backup's configuration; null when it has none.</returns>
    private async Task<string?> RestoreAsync(RestoreAnswer restore, CancellationToken cancellation)
    {
        var file = places.OnVolume(restore.File);
        if (!File.Exists(file))
            throw new CommandFailedException($"restore.file: there is no file {file}.");
        try
        {
            var unlock = restore.Identity is { } key
                ? new AgeUnlock { Identities = [.. AgeIdentity.ReadAll(ReadFile(places.OnVolume(key)), key)] }
                : AgeUnlock.With(restore.Passphrase);
            var restored = await Restore.RunAsync(file, Privileges.SystemDataDirectory, unlock, replace: true, null, screen.Time, cancellation);
            screen.Output.WriteLine($"Restored: {restored.Manifest.Hosts} hosts, {restored.Manifest.Certificates} certificates, as {restored.Manifest.Appliance} was on {restored.Manifest.At:u}");
            return restored.Configuration is { } configuration ? ReadFile(Path.Combine(Privileges.SystemDataDirectory, configuration)) : null;
        }
        catch (Exception e) when (e is BackupException or AgeException)
        {
            throw new CommandFailedException($"{file} is not restored: {e.Message}. Nothing was changed.");
        }
    }

    /// <summary>The interface that servers boot on; null on a machine without one, as long as none is asked for by name.</summary>
    private WiredLink? Link(SetupAnswers answers)
    {
        var links = WiredLink.Find(places.Links);
        return links.Length == 0 && answers.Provisioning is { Interface: null, MacAddress: null } ? null : WiredLink.Choose(answers.Provisioning, links);
    }

    private string? NetworkOf(SetupAnswers answers)
    {
        if (Link(answers) is not { } link)
            return null;
        if (answers.Provisioning.Address is { } own)
            return SetupFiles.Network(answers, link, own.Subnet);
        var given = NetworkInterface.GetAllNetworkInterfaces().Where(i => i.Name == link.Name).SelectMany(i => i.GetIPProperties().UnicastAddresses)
            .FirstOrDefault(a => a.Address.AddressFamily == AddressFamily.InterNetwork);
        if (given is not null && Ipv4Address.TryParse(given.Address.ToString(), out var address))
            return SetupFiles.Network(answers, link, new Ipv4Cidr(address, given.PrefixLength));
        screen.Output.WriteLine($"{link.Name} has got no address by DHCP yet: the Network on it is not made. Run the set-up again when it has, or apply one.");
        return null;
    }

    private async Task SendAsync(ApiClient api, string documents, CancellationToken cancellation)
    {
        var answer = await api.PostAsync("apply", new StringContent(documents, Encoding.UTF8, "application/yaml"), cancellation);
        foreach (var result in answer["results"]!.AsArray().Select(r => r!.AsObject()))
            screen.Output.WriteLine($"{result.At("kind").ToLowerInvariant()}/{result.At("name")} {result.At("result")}");
    }

    private async Task ImportImagesAsync(ApiClient api, CancellationToken cancellation)
    {
        if (!Directory.Exists(places.Images))
            return;
        foreach (var directory in Directory.EnumerateDirectories(places.Images).Order(StringComparer.Ordinal))
        {
            var name = Path.GetFileName(directory);
            // Once: who deletes or exchanges it afterwards means it.
            var marker = Path.Combine(places.ImportedImages, name);
            if (File.Exists(marker))
                continue;
            if (File.Exists(directory + ".yaml"))
                await SendAsync(api, ReadFile(directory + ".yaml"), cancellation);
            var upload = DirectoryUpload.Of(directory);
            await api.PostAsync($"images/{ApiClient.Escape(name)}/import?size={upload.Bytes}", upload.Content(_ => { }), cancellation);
            SetupPlaces.Write(marker, "", Readable);
            screen.Output.WriteLine($"image/{name} imported");
        }
    }

    private async Task WaitForServiceAsync(ApiClient api, CancellationToken cancellation)
    {
        var from = screen.Time.GetTimestamp();
        while (true)
        {
            try
            {
                await api.GetAsync("status", cancellation);
                return;
            }
            catch (CommandFailedException) when (screen.Time.GetElapsedTime(from) < ServiceStartsWithin)
            {
                await Task.Delay(Look, screen.Time, cancellation);
            }
        }
    }

    private async Task<(string? Text, string Source)> FindAnswersAsync()
    {
        if (File.Exists(places.CredentialFile))
            return (ReadFile(places.CredentialFile), "the credential provisioner.setup");
        await MountVolumeAsync();
        var source = $"{Path.GetFileName(places.VolumeFile)} on the volume {SetupPlaces.VolumeLabel}";
        return (File.Exists(places.VolumeFile) ? ReadFile(places.VolumeFile) : null, source);
    }

    private async Task MountVolumeAsync()
    {
        if (!Path.Exists(places.VolumeDevice) || File.Exists(places.VolumeFile))
            return;
        Directory.CreateDirectory(places.Volume, Private | UnixFileMode.UserExecute);
        if (Directory.EnumerateFileSystemEntries(places.Volume).Any())
            return;
        await RunAsync("mount", "-o", "ro,nosuid,nodev,noexec", places.VolumeDevice, places.Volume);
    }

    private static SetupAnswers Read(string text, string source)
    {
        try
        {
            return SetupFields.Read(text);
        }
        catch (ChangeRefusedException refused)
        {
            throw new CommandFailedException([.. refused.Mistakes.Select(m => $"{source}: {m}")]);
        }
    }

    private static string ReadFile(string path)
    {
        try
        {
            return File.ReadAllText(path, new UTF8Encoding(false, throwOnInvalidBytes: true));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DecoderFallbackException)
        {
            throw new CommandFailedException($"{path} cannot be read: {e.Message}");
        }
    }

    private string Secret(string question)
    {
        try
        {
            return screen.AskSecret(question);
        }
        catch (CommandFailedException)
        {
            return ""; // Nothing was typed: it is asked again.
        }
    }

    private static IEnumerable<string> Addresses() => NetworkInterface.GetAllNetworkInterfaces()
        .Where(i => i.NetworkInterfaceType != NetworkInterfaceType.Loopback)
        .SelectMany(i => i.GetIPProperties().UnicastAddresses)
        .Where(a => a.Address.AddressFamily == AddressFamily.InterNetwork)
        .Select(a => a.Address.ToString());

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, UseShellExecute = false })
            ?? throw new CommandFailedException($"{program} cannot be started.");
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new CommandFailedException($"'{program} {string.Join(' ', arguments)}' failed: {error.Trim()}");
    }
}
