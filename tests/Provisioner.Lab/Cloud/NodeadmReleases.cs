using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Provisioner.Lab.Harness;

namespace Provisioner.Lab.Cloud;

/// <summary>
/// What Amazon serves nodeadm and its artifacts from: the same paths, manifest and checksum files. nodeadm is the lab's stand-in; of the rest,
/// only that it arrives matters.
/// </summary>
internal static class NodeadmReleases
{
    public const string Host = "hybrid-assets.eks.amazonaws.com";

    public const string Region = "eu-west-1";

    /// <summary>The account that the images of EKS add-ons are in, by region.</summary>
    public const string Registry = "602401143452";

    private static readonly (string Minor, string Patch)[] Kubernetes = [("1.34", "1.34.2"), ("1.35", "1.35.0")];

    /// <summary>Every file by its path.</summary>
    public static Dictionary<string, byte[]> Files()
    {
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        void Offer(string path, byte[] content)
        {
            files["/" + path] = content;
            files[$"/{path}.sha256"] = Encoding.ASCII.GetBytes($"{Convert.ToHexStringLower(SHA256.HashData(content))}  {Path.GetFileName(path)}\n");
        }

        string[] architectures = ["amd64", "arm64"];
        var nodeadm = File.ReadAllBytes(Path.Combine(Prerequisites.Repository, "tests", "Provisioner.Lab", "nodeadm", "nodeadm"));
        var plugins = Plugins();
        var manifest = new StringBuilder("supported_eks_releases:\n");
        foreach (var (minor, patch) in Kubernetes)
        {
            manifest.Append($"- major_minor_version: \"{minor}\"\n  latest_patch_version: {patch}\n  patch_releases:\n  - version: {patch}\n    release_date: \"2026-01-15\"\n    artifacts:\n");
            foreach (var architecture in architectures)
            {
                foreach (var name in (string[])["kubelet", "kubectl", "cni-plugins", "ecr-credential-provider", "aws-iam-authenticator"])
                {
                    var path = $"{patch}/2026-01-15/bin/linux/{architecture}/{name}{(name == "cni-plugins" ? $"-linux-{architecture}.tgz" : "")}";
                    Offer(path, name == "cni-plugins" ? plugins : Encoding.ASCII.GetBytes($"#!/bin/sh\necho \"{name} {patch}, a stand-in\"\n"));
                    manifest.Append(Artifact(name, architecture, path));
                }
            }
        }
        manifest.Append("iam_roles_anywhere_releases:\n- version: 1.8.0\n  artifacts:\n");
        foreach (var architecture in architectures)
        {
            Offer($"releases/latest/bin/linux/{architecture}/nodeadm", nodeadm);
            var path = $"iam-ra/1.8.0/bin/linux/{architecture}/aws_signing_helper";
            Offer(path, "#!/bin/sh\n"u8.ToArray());
            manifest.Append(Artifact("aws_signing_helper", architecture, path));
        }
        manifest.Append($"ssm_releases: []\nregion_config:\n  {Region}: {"{"} ecr_account_id: \"{Registry}\", partition: aws, cred_providers: {"{"} iam-ra: true, ssm: true {"}"} {"}"}\n");
        files["/manifest.yaml"] = Encoding.UTF8.GetBytes(manifest.ToString());
        return files;
    }

    private static string Artifact(string name, string architecture, string path) =>
        $"    - name: {name}\n      arch: {architecture}\n      os: linux\n      uri: https://{Host}/{path}\n      checksum_uri: https://{Host}/{path}.sha256\n";

    private static byte[] Plugins()
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(gzip))
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "./loopback") { DataStream = new MemoryStream("#!/bin/sh\n"u8.ToArray()) });
        return packed.ToArray();
    }
}
