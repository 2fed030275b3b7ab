using System.Collections.Concurrent;
using Provisioner.Boot;
using Provisioner.Hosts;
using Provisioner.Installing;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Seeds;

/// <summary>One file of a seed.</summary>
/// <param name="CarriesToken">It holds the Installation's token, whose hash has to be stored before it leaves.</param>
internal sealed record SeedFile(string Text, string ContentType, bool CarriesToken, string Reason);

/// <summary>The answer files of a host's Installation, and what of them was last served.</summary>
internal sealed class SeedFiles(CurrentState state, SeedContexts contexts, AnswerFiles answers, string dataDirectory)
{
    private readonly ConcurrentDictionary<(string Host, string Name), string> served = [];

    /// <summary>The file of that name; null when the host's seed has none.</summary>
    /// <exception cref="SeedRefusedException">Host and profile do not go together; says why.</exception>
    /// <exception cref="Templates.TemplateException">It cannot be written safely.</exception>
    public SeedFile? Find(Host host, Installation installation, string name, BootEndpoint endpoint, DateTimeOffset now)
    {
        var context = Context(host, installation, endpoint, now, redacted: false);
        if (!AnswerFiles.Has(context, name))
            return null;
        var text = answers.Render(context, name);
        return new SeedFile(text, name == "ks.cfg" ? "text/plain; charset=utf-8" : "text/yaml; charset=utf-8",
            context.Secrets.Token is { } token && text.Contains(token, StringComparison.Ordinal),
            $"{host.Name} {(installation.Diskless ? "runs" : "is installed")} by profile {context.Profile.Name} with {context.Image.Name}");
    }

    // In the window alone, and not for an Installation whose token a person was given: what boots then is no proof of who boots.
    private SeedContext Context(Host host, Installation installation, BootEndpoint endpoint, DateTimeOffset now, bool redacted) =>
        state.Snapshot.Profiles.GetValueOrDefault(installation.Profile) is { } profile && state.Snapshot.Images.GetValueOrDefault(installation.Image) is { } image
            ? contexts.Of(host, profile, image, installation, endpoint, redacted, installation.MayEnrolAt(now) && !installation.EnrolOnly)
            : throw new SeedRefusedException($"profile {installation.Profile} or image {installation.Image} of the Installation is gone");

    /// <summary>What would be served now, for people: no secrets. A host without an open Installation is shown as if one were opened.</summary>
    /// <exception cref="ChangeRefusedException">There is no such file, or nothing to make it of.</exception>
    public string Preview(Host host, string name, BootEndpoint endpoint, DateTimeOffset now)
    {
        var open = state.Snapshot.Installations.GetValueOrDefault(host.Name) is { } latest && latest.BuildsAt(now) ? latest : null;
        var mistakes = HostChanges.WhyNotInstallable(state.Snapshot, host, out var profileName, out var imageName);
        if (open is null && mistakes.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Conflict, mistakes);
        var installation = open ?? new Installation { Id = new string('0', 32), Host = host.Name, Profile = profileName, Image = imageName, OpenedAt = now, ClosesAt = now + HostChanges.DefaultWindow };
        var context = contexts.Of(host, state.Snapshot.Profiles[installation.Profile], state.Snapshot.Images[installation.Image], installation, endpoint, redacted: true);
        if (context.Profile.Spec.Install is null)
            throw new ChangeRefusedException(RefusalKind.Conflict, [new Mistake($"Profile {context.Profile.Name} has no unattended installation") { Path = "spec.install", Expected = "how its hosts are to be installed (docs/resources.md)" }]);
        if (!AnswerFiles.Has(context, name))
            throw new ChangeRefusedException(RefusalKind.Conflict, [new Mistake($"Image {context.Image.Name} is not installed by {name}") { Expected = $"{string.Join(", ", Names.Where(n => AnswerFiles.Has(context, n)))}" }]);
        try
        {
            return answers.Render(context, name);
        }
        catch (SeedRefusedException e)
        {
            throw new ChangeRefusedException(RefusalKind.Conflict, e.Message);
        }
    }

    /// <summary>The names installers ask for.</summary>
    public static IReadOnlyList<string> Names { get; } = ["ks.cfg", "user-data", "meta-data", "vendor-data"];

    /// <summary>Remembers what was served, without its secrets, for a later comparison.</summary>
    public void Served(Host host, Installation installation, string name, BootEndpoint endpoint, DateTimeOffset now)
    {
        try
        {
            Keep(host.Name, name, answers.Render(Context(host, installation, endpoint, now, redacted: true), name));
        }
        catch (Exception e) when (e is SeedRefusedException or Templates.TemplateException)
        {
            // Changed in between: the host has its answer, only the comparison is lost.
        }
    }

    private void Keep(string host, string name, string redacted)
    {
        if (served.TryGetValue((host, name), out var before) && before == redacted)
            return;
        served[(host, name)] = redacted;
        try
        {
            var path = PathOf(host, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path + ".new", redacted);
            File.Move(path + ".new", path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Only a comparison is lost with it; a full disk is told of elsewhere.
        }
    }

    /// <summary>What was last served; null when nothing was.</summary>
    public string? LastServed(string host, string name) =>
        served.TryGetValue((host, name), out var text) ? text : File.Exists(PathOf(host, name)) ? File.ReadAllText(PathOf(host, name)) : null;

    // Both are words of ours: a registered host's name, and one of the names above.
    private string PathOf(string host, string name) => Path.Combine(dataDirectory, "served", host, name);
}
