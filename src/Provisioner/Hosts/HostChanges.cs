using System.Collections.Immutable;
using System.Security.Cryptography;
using Provisioner.Boot;
using Provisioner.Events;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Hosts;

/// <summary>A discovered machine that becomes a Host.</summary>
public sealed record Adoption(MacAddress MacAddress, string Name)
{
    public string? Profile { get; init; }

    /// <summary>Needed only when the machine did not say its own; with both, they must agree.</summary>
    public CpuArchitecture? Architecture { get; init; }

    public ImmutableSortedDictionary<string, string> Labels { get; init; } = ImmutableSortedDictionary<string, string>.Empty;
}

/// <summary>What people do with hosts, for <see cref="StateWriter.ChangeAsync{T}"/>. Pure but for the editor.</summary>
public static class HostChanges
{
    /// <summary>How long an Installation stays open unless said otherwise.</summary>
    public static readonly TimeSpan DefaultWindow = TimeSpan.FromHours(2);

    public static readonly TimeSpan ShortestWindow = TimeSpan.FromMinutes(1);

    public static readonly TimeSpan LongestWindow = TimeSpan.FromDays(7);

    /// <summary>Says of a machine that asked that it is none to adopt, or that it is one after all.</summary>
    /// <exception cref="ChangeRefusedException">It has not been seen.</exception>
    public static Discovered Ignore(StateEditor editor, MacAddress mac, bool ignored, string? actor)
    {
        var discovered = FindDiscovered(editor.Snapshot, mac);
        if (ignored == discovered.IgnoredAt is not null)
            return discovered;
        discovered = discovered with { IgnoredAt = ignored ? editor.Now : null };
        editor.Put(discovered);
        editor.Record(new Event
        {
            At = editor.Now,
            Source = EventSource.Api,
            Outcome = EventOutcome.Changed,
            MacAddress = mac,
            What = ignored ? $"{mac} is ignored" : $"{mac} waits to be adopted again",
            Reason = $"it was seen {discovered.Times} times, last {discovered.LastSeen:u}",
            Actor = actor,
            Subject = $"Discovered/{mac}",
        });
        return discovered;
    }

    /// <summary>Registers a discovered machine; its Discovered record goes.</summary>
    /// <exception cref="ChangeRefusedException">Name or MAC address in use, no such profile, never seen, architecture unknown.</exception>
    public static Host Adopt(StateEditor editor, Adoption adoption, string? actor)
    {
        var mac = adoption.MacAddress;
        if (editor.Snapshot.FindHost(mac) is { } owner)
            throw new ChangeRefusedException(RefusalKind.Conflict, [new Mistake($"{mac} belongs to Host {owner.Name} already") { Path = "macAddress", Value = mac.ToString() }]);
        var discovered = FindDiscovered(editor.Snapshot, mac);
        var mistakes = new List<Mistake>();
        if (Texts.Name(adoption.Name, 64) is { } wrongName)
            mistakes.Add(new Mistake($"'{Reading.Shorten(adoption.Name)}' {wrongName}") { Path = "name", Value = Reading.Shorten(adoption.Name), Expected = $"at most 64 {Texts.NameExpected}" });
        foreach (var (key, value) in adoption.Labels)
        {
            if ((Texts.LabelKey(key) ?? Texts.LabelValue(value)) is { } wrongLabel)
                mistakes.Add(new Mistake($"'{Reading.Shorten(key)}={Reading.Shorten(value)}' {wrongLabel}") { Path = "labels", Value = Reading.Shorten(key) });
        }
        var said = ArchitectureOf(discovered);
        if (said is { } known && adoption.Architecture is { } given && known != given)
        {
            mistakes.Add(new Mistake($"the machine said it is {Values.NameOf(known)} ({discovered.Architecture})")
            {
                Path = "architecture", Value = Values.NameOf(given), Expected = $"{Values.NameOf(known)}, or none to take it from the machine",
            });
        }
        if ((adoption.Architecture ?? said) is not { } architecture)
        {
            mistakes.Add(new Mistake(discovered.Architecture is null ? "the machine has not said what it is" : $"'{discovered.Architecture}' names no architecture that can be installed")
            {
                Path = "architecture", Expected = "x86_64 or aarch64",
            });
            architecture = default;
        }
        if (mistakes.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Invalid, mistakes);
        if (editor.Snapshot.Hosts.ContainsKey(adoption.Name))
        {
            throw new ChangeRefusedException(RefusalKind.Conflict, [new Mistake($"there is a Host {adoption.Name} already")
            {
                Path = "name", Value = adoption.Name, Expected = "a name no host has; another network card of that host is added to its macAddresses by 'apply'",
            }]);
        }

        var host = new Host(new Metadata(adoption.Name) { Labels = adoption.Labels }, new HostSpec
        {
            MacAddresses = [mac],
            Architecture = architecture,
            Profile = adoption.Profile,
            // What the machine said is hostile until shown otherwise: kept only where a document could have said it.
            Serial = discovered.Serial is { Length: > 0 and <= 64 } serial && serial.Trim() == serial && Texts.Printable(serial) is null ? serial : null,
        });
        var wrong = new References(editor.Snapshot, [new ResourceDocument(host, 1)]).Check();
        if (wrong.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Conflict, [.. wrong.Select(m => m with { Document = null, Path = m.Path?.Replace("spec.", "", StringComparison.Ordinal) })]);
        host = editor.Put(host);
        editor.Record(new Event
        {
            At = editor.Now,
            Source = EventSource.Api,
            Outcome = EventOutcome.Changed,
            Host = host.Name,
            MacAddress = mac,
            What = $"Host {host.Name} adopted",
            Reason = $"{mac} was seen {discovered.Times} times, last {discovered.LastSeen:u}",
            Actor = actor,
            Subject = $"Host/{host.Name}",
        });
        return host;
    }

    /// <summary>Opens an Installation; one that is open is closed first, with the reason.</summary>
    /// <param name="window">Null for <see cref="DefaultWindow"/>.</param>
    /// <exception cref="ChangeRefusedException">No such host, no profile or image, files not imported.</exception>
    public static Installation Provision(StateEditor editor, string host, TimeSpan? window, string? actor)
    {
        var target = Find(editor, host);
        RefuseRetired(target);
        var length = window ?? DefaultWindow;
        if (length < ShortestWindow || length > LongestWindow)
        {
            throw new ChangeRefusedException(RefusalKind.Invalid, [new Mistake($"the window of {length} is out of bounds")
            {
                Path = "window", Value = length.ToString(), Expected = $"{Values.Format(ShortestWindow)} to {Values.Format(LongestWindow)}",
            }]);
        }
        var mistakes = WhyNotInstallable(editor.Snapshot, target, out var profile, out var image);
        if (mistakes.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Conflict, mistakes);

        if (editor.Snapshot.Installations.GetValueOrDefault(target.Name) is { } open && open.IsOpenAt(editor.Now))
            editor.Put(open with { ClosedAt = editor.Now, ClosedBecause = "replaced by a new one" });
        var installation = new Installation
        {
            Id = RandomNumberGenerator.GetHexString(32, lowercase: true),
            Host = target.Name,
            Profile = profile,
            Image = image,
            OpenedAt = editor.Now,
            ClosesAt = editor.Now + length,
            Diskless = editor.Snapshot.Profiles[profile].Spec.Install is { Diskless: true },
            Actor = actor,
        };
        editor.Put(installation);
        Record(editor, target, $"Installation opened until {installation.ClosesAt:u}", $"profile {profile}, image {image}", actor);
        return installation;
    }

    /// <summary>Closes the host's open Installation: from now on it boots its own disk, and its token is worth nothing, installed or not; one without a disk has nothing to boot.</summary>
    /// <exception cref="ChangeRefusedException">No such host, or nothing open.</exception>
    public static Installation Cancel(StateEditor editor, string host, string? actor)
    {
        var target = Find(editor, host);
        if (editor.Snapshot.Installations.GetValueOrDefault(target.Name) is not { } open || !open.MayEnrolAt(editor.Now) && !open.RunsAt(editor.Now))
            throw new ChangeRefusedException(RefusalKind.Conflict, $"Host {target.Name} has no open Installation");
        var closed = open with { ClosedAt = editor.Now, ClosedBecause = Installation.Cancelled };
        editor.Put(closed);
        Record(editor, target, "Installation cancelled", "it boots its own disk from now on", actor);
        return closed;
    }

    /// <summary>Every reason why the host cannot be installed; none when it can.</summary>
    internal static IReadOnlyList<Mistake> WhyNotInstallable(Snapshot snapshot, Host host, out string profileName, out string imageName)
    {
        profileName = imageName = "";
        if (host.Spec.Profile is not { } name)
            return [new Mistake($"Host {host.Name} has no profile") { Path = "spec.profile", Expected = "the name of a Profile" }];
        profileName = name;
        if (snapshot.Profiles.GetValueOrDefault(name) is not { } profile)
            return [new Mistake($"Profile {name} of Host {host.Name} does not exist") { Path = "spec.profile", Value = name, Expected = "a Profile that exists" }];
        imageName = profile.Spec.Image;
        if (snapshot.Images.GetValueOrDefault(imageName) is not { } image)
            return [new Mistake($"Image {imageName} of Profile {name} does not exist") { Path = "spec.image", Value = imageName, Expected = "an Image that exists" }];
        var mistakes = new List<Mistake>();
        if (image.Spec.Architecture != host.Spec.Architecture)
        {
            mistakes.Add(new Mistake($"Image {image.Name} is for {Values.NameOf(image.Spec.Architecture)}, Host {host.Name} is {Values.NameOf(host.Spec.Architecture)}")
            {
                Path = "spec.image", Value = image.Name, Expected = $"an Image for {Values.NameOf(host.Spec.Architecture)}",
            });
        }
        if (image.Status.Files.IsDefaultOrEmpty)
        {
            mistakes.Add(new Mistake($"Image {image.Name} has no files yet") { Value = image.Name, Expected = $"'provisioner image import PATH --name {image.Name}' first" });
            return mistakes;
        }
        foreach (var file in new[] { image.Spec.Kernel }.Concat(image.Spec.Initrd))
        {
            if (image.File(file) is null)
                mistakes.Add(new Mistake($"Image {image.Name} has no file {file}") { Value = file, Expected = "a path among its imported files" });
        }
        return mistakes;
    }

    private static Discovered FindDiscovered(Snapshot snapshot, MacAddress mac) => snapshot.Discovered.TryGetValue(mac, out var discovered) ? discovered
        : throw new ChangeRefusedException(RefusalKind.NotFound,
            [new Mistake($"{mac} has not been seen") { Path = "macAddress", Value = mac.ToString(), Expected = "a MAC address that 'get discovered' lists; a Host that never asked is registered by 'apply'" }]);

    /// <summary>The processor behind the firmware the machine asked with; null when it did not say, or none can be installed on.</summary>
    internal static CpuArchitecture? ArchitectureOf(Discovered discovered)
    {
        foreach (var firmware in Enum.GetValues<Architecture>())
        {
            if (BootDecider.Name(firmware) != discovered.Architecture)
                continue;
            return firmware switch
            {
                // A server with legacy BIOS has been a 64-bit one for twenty years.
                Architecture.X64 or Architecture.Bios => CpuArchitecture.X64,
                Architecture.Arm64 or Architecture.RaspberryPi => CpuArchitecture.Arm64,
                _ => null,
            };
        }
        return null;
    }

    /// <exception cref="ChangeRefusedException">The host was retired.</exception>
    internal static void RefuseRetired(Host host)
    {
        if (host.RetiredAt is { } at)
        {
            throw new ChangeRefusedException(RefusalKind.Conflict, [new Mistake($"Host {host.Name} was retired on {at:u}")
            {
                Value = host.Name, Expected = $"a host in service; to take it back, 'provisioner delete host {host.Name}' and register it again",
            }]);
        }
    }

    internal static Host Find(StateEditor editor, string name) =>
        editor.Snapshot.Hosts.GetValueOrDefault(name) ?? throw ResourceChanges.NotFound(editor.Snapshot, ResourceKind.Host, name);

    internal static void Record(StateEditor editor, Host host, string what, string reason, string? actor) => editor.Record(new Event
    {
        At = editor.Now,
        Source = EventSource.Api,
        Outcome = EventOutcome.Changed,
        Host = host.Name,
        What = what,
        Reason = reason,
        Actor = actor,
        Subject = $"Host/{host.Name}",
    });
}
