using Provisioner.Certificates;
using Provisioner.Images;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Storage;
using Provisioner.Templates;

namespace Provisioner.Boot;

/// <summary>
/// Every name the boot planes answer to, over TFTP and HTTP alike:
/// <code>
/// boot.ipxe, autoexec.ipxe            the first iPXE script
/// boot/MAC/boot.ipxe, autoexec.ipxe   that machine's own; boot/MAC/grub.cfg for GRUB
/// boot/MAC/LOADER                     its boot loader, for HTTP Boot
/// …/grub.cfg, …/grub.cfg-01-MAC       what GRUB asks for, under whatever prefix is built into it
/// images/IMAGE/PATH                   imported files
/// ca.pem, crl, crl/AUTHORITY          the authority's certificates and revocation lists
/// NAME, PREFIX/…/NAME                 boot loaders, and files of the asking host's image by the tail of their path
/// </code>
/// A name is looked up, never joined to a path.
/// </summary>
internal sealed class BootCatalogue(
    CurrentState state,
    AddressBook addresses,
    BootDecider decider,
    LoaderCatalogue loaders,
    BootScripts scripts,
    ImageStore images,
    PublishedCertificates certificates,
    TimeProvider time) : IBootCatalogue
{
    // iPXE is quickest with a script whose type and length it knows.
    private const string ScriptType = "text/plain; charset=utf-8";

    private const int LongestName = 512;

    public BootLookup Find(string name, BootClient client, string? query = null)
    {
        if (name.Length > LongestName)
            return BootLookup.Missing($"the name is longer than {LongestName} characters");
        var path = Normalise(name);
        try
        {
            return path switch
            {
                "boot.ipxe" or "autoexec.ipxe" or "boot.ipxe.0" => FirstIpxe(path, client),
                PublishedCertificates.CaCertificates => InMemory(path, certificates.Trusted(), "application/x-pem-file", "the certificates to trust", "there is no authority yet"),
                // The media type of RFC 2585 §4.2.
                "crl" => InMemory(path, certificates.List(null), "application/pkix-crl", "the issuing authority's revocation list", "there is no authority yet"),
                _ when Under("crl/", path, out var authority) => InMemory(path, certificates.List(authority), "application/pkix-crl", "an authority's revocation list", "there is no live authority of that id"),
                _ when Under("boot/", path, out var rest) => OfMachine(path, rest, client, query),
                _ when Under("images/", path, out var rest) => OfImage(path, rest),
                _ when FileName(path).StartsWith("grub.cfg", StringComparison.Ordinal) => Grub(path, client),
                _ => Loader(path, client),
            };
        }
        catch (TemplateException e)
        {
            return BootLookup.Missing(e.Message);
        }
    }

    private BootLookup FirstIpxe(string path, BootClient client) =>
        Script(path, scripts.FirstIpxe(client.TftpPort == 0 ? [client.Root] : [client.Endpoint.HttpRoot, client.Root]), "the first script, the same for every machine");

    private static BootLookup InMemory(string path, ReadOnlyMemory<byte>? content, string type, string reason, string missing) => content is { } found
        ? BootLookup.Found(new BootAsset.InMemory(path, found, type, reason))
        : BootLookup.Missing(missing);

    // boot/MAC/…
    private BootLookup OfMachine(string path, string rest, BootClient client, string? query)
    {
        var slash = rest.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0 || !MacAddress.TryParse(rest.AsSpan(0, slash), out var mac))
            return BootLookup.Missing("the path is boot/MAC/FILE, and the second part is not a MAC address");
        var file = rest[(slash + 1)..];
        addresses.Learn(client.Address, mac);
        return file switch
        {
            "boot.ipxe" or "autoexec.ipxe" => MachineScript(path, BootStep.IpxeScript, mac, client, query),
            "grub.cfg" => MachineScript(path, BootStep.GrubScript, mac, client, query),
            _ => LoaderOf(path, file, mac, client),
        };
    }

    private BootLookup MachineScript(string path, BootStep step, MacAddress mac, BootClient client, string? query)
    {
        var decision = decider.Decide(new BootRequest
        {
            Step = step,
            MacAddress = mac,
            Architecture = IpxeFacts.Read(query).Architecture,
            Client = step == BootStep.IpxeScript ? ClientKind.Ipxe : ClientKind.Pxe,
            Endpoint = client.Endpoint,
        }, state.Snapshot, time.GetUtcNow());
        if (decision is not BootDecision.Script script)
            return BootLookup.Missing(decision.Reason);
        var text = step == BootStep.IpxeScript
            ? scripts.Ipxe(script.Intent, mac, client.Root, client.Endpoint)
            : scripts.Grub(script.Intent, mac, client.Endpoint);
        return Script(path, text, decision.Reason);
    }

    // The loader of one machine, for HTTP Boot. A host that is to boot its disk gets 404 and its firmware goes on at once: what iPXE would
    // do by leaving again, but Debian's ipxe.efi of 2019 hangs there when OVMF started it by HTTP Boot.
    private BootLookup LoaderOf(string path, string file, MacAddress mac, BootClient client)
    {
        var intent = BootDecider.Intend(mac, state.Snapshot, time.GetUtcNow());
        return intent is BootIntent.LocalDisk { Method: not LocalBoot.Sanboot }
            ? BootLookup.Missing(intent.Reason)
            : Loader(path, file, state.Snapshot.FindHost(mac));
    }

    private BootLookup OfImage(string path, string rest)
    {
        var slash = rest.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0)
            return BootLookup.Missing("the path is images/IMAGE/FILE");
        var (imageName, filePath) = (rest[..slash], rest[(slash + 1)..]);
        if (!state.Snapshot.Images.TryGetValue(imageName, out var image))
            return BootLookup.Missing($"there is no image {imageName}");
        return image.File(filePath) is { } file
            ? InImage(path, image, file)
            : BootLookup.Missing($"image {imageName} has no file {filePath}");
    }

    // GRUB asks for grub.cfg-01-MAC, grub.cfg-HEXADDRESS and its prefixes, then grub.cfg, below the prefix built into it.
    private BootLookup Grub(string path, BootClient client)
    {
        const string ByMac = "grub.cfg-01-";
        var file = FileName(path);
        if (file == "grub.cfg")
            return Script(path, scripts.FirstGrub(), "the first GRUB script, the same for every machine");
        if (!file.StartsWith(ByMac, StringComparison.Ordinal) || !MacAddress.TryParse(file.AsSpan(ByMac.Length), out var mac))
            return BootLookup.Missing("GRUB scripts are kept by MAC address alone");
        addresses.Learn(client.Address, mac);
        return MachineScript(path, BootStep.GrubScript, mac, client, query: null);
    }

    private BootLookup Loader(string path, BootClient client) =>
        Loader(path, path, addresses.Find(client.Address) is { } mac ? state.Snapshot.FindHost(mac) : null);

    // shim asks for grubx64.efi at the root whatever the distribution, so the asking host's image decides whose it gets.
    private BootLookup Loader(string path, string wanted, Host? host)
    {
        var snapshot = state.Snapshot;
        var own = ImageOf(host, snapshot);
        if (own is not null && ByTail(own, wanted) is { } file)
            return InImage(path, own, file);
        if (loaders.Find(wanted) is { } loader)
            return BootLookup.Found(new BootAsset.OnDisk(path, loader.Path, loader.Length, ContentTypeOf(wanted), $"boot loader {loader.Name} of {loader.Path}"));
        foreach (var image in snapshot.Images.Values)
        {
            foreach (var name in (string?[])[image.Spec.BootLoaders.Shim, image.Spec.BootLoaders.Grub, image.Spec.BootLoaders.Ipxe])
            {
                if (name is not null && string.Equals(FileName(name), wanted, StringComparison.OrdinalIgnoreCase) && image.File(name) is { } its)
                    return InImage(path, image, its);
            }
        }
        return BootLookup.Missing(host is null
            ? "no boot loader and no image has it, and the asking machine has no image of its own"
            : $"no boot loader has it, nor {(own is null ? "any image" : $"image {own.Name}")} of {host.Name}");
    }

    private Image? ImageOf(Host? host, Snapshot snapshot)
    {
        if (host is null)
            return null;
        var installation = snapshot.Installations.GetValueOrDefault(host.Name);
        var now = time.GetUtcNow();
        var name = installation is not null && (installation.BuildsAt(now) || installation.RunsAt(now)) ? installation.Image
            : host.Spec.Profile is { } profile ? snapshot.Profiles.GetValueOrDefault(profile)?.Spec.Image : null;
        return name is null ? null : snapshot.Images.GetValueOrDefault(name);
    }

    // debian-installer/amd64/grub/x86_64-efi/fs.lst, 1a2b3c4d/start4.elf: what is built into a loader in front of a path is not
    // ours to know, so leading directories are dropped until the image has such a file.
    private static ImageFile? ByTail(Image image, string wanted)
    {
        for (var rest = wanted; ;)
        {
            if (image.Status.Files.FirstOrDefault(f => string.Equals(f.Path, rest, StringComparison.OrdinalIgnoreCase)) is { } file)
                return file;
            var slash = rest.IndexOf('/', StringComparison.Ordinal);
            if (slash < 0)
                return image.Status.Files.FirstOrDefault(f => string.Equals(FileName(f.Path), rest, StringComparison.OrdinalIgnoreCase)
                    && (f.Path == image.Spec.BootLoaders.Shim || f.Path == image.Spec.BootLoaders.Grub || f.Path == image.Spec.BootLoaders.Ipxe));
            rest = rest[(slash + 1)..];
        }
    }

    private BootLookup InImage(string path, Image image, ImageFile file) =>
        BootLookup.Found(new BootAsset.OnDisk(path, images.PathOf(image, file), file.Size, ContentTypeOf(file.Path), $"file {file.Path} of image {image.Name}"));

    private static BootLookup Script(string path, string text, string reason) =>
        BootLookup.Found(new BootAsset.InMemory(path, BootScripts.Encode(text), ScriptType, reason));

    // EDK2 takes an NBP by its type or its extension (HttpBootSupport.c); everything else is only bytes.
    private static string ContentTypeOf(string path) =>
        path.EndsWith(".efi", StringComparison.OrdinalIgnoreCase) ? "application/efi" : "application/octet-stream";

    private static string FileName(string path) => path[(path.LastIndexOf('/') + 1)..];

    private static bool Under(string prefix, string path, out string rest)
    {
        var under = path.StartsWith(prefix, StringComparison.Ordinal);
        rest = under ? path[prefix.Length..] : "";
        return under;
    }

    // Firmware writes backslashes, doubled and leading slashes. Dots are nothing special: names are looked up.
    private static string Normalise(string name)
    {
        var slashed = name.Contains('\\', StringComparison.Ordinal) ? name.Replace('\\', '/') : name;
        if (!slashed.Contains("//", StringComparison.Ordinal) && !slashed.StartsWith('/'))
            return slashed;
        return string.Join('/', slashed.Split('/', StringSplitOptions.RemoveEmptyEntries));
    }
}
