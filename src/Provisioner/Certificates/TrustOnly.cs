using System.Security.Cryptography.X509Certificates;

namespace Provisioner.Certificates;

/// <summary>The framework's own check of a server's chain, whole, against authorities that were given and nothing else: what this machine trusts does not count.</summary>
internal static class TrustOnly
{
    public static X509ChainPolicy These(X509Certificate2Collection authorities)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(authorities);
        return policy;
    }
}
