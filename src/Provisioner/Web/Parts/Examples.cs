namespace Provisioner.Web.Parts;

/// <summary>What a new resource begins as: right but for the names.</summary>
internal static class Examples
{
    public static string Of(string kind) => kind switch
    {
        "Host" => """
            apiVersion: provisioner/v1
            kind: Host
            metadata:
              name: rack1-n07
            spec:
              macAddresses: ["a0:36:9f:12:34:56"]
              architecture: x86_64

            """,
        "Profile" => """
            apiVersion: provisioner/v1
            kind: Profile
            metadata:
              name: worker
            spec:
              image: ubuntu-24.04-amd64
              install:
                users:
                - name: ops
                  sudo: true
                  sshKeys: ["ssh-ed25519 AAAA… ops@example.com"]

            """,
        "Network" => """
            apiVersion: provisioner/v1
            kind: Network
            metadata:
              name: rack1
            spec:
              subnet: 10.20.0.0/24
              interface: eno1
              dhcp: proxy

            """,
        "Cluster" => """
            apiVersion: provisioner/v1
            kind: Cluster
            metadata:
              name: prod
            spec:
              region: eu-central-1
              kubernetesVersion: "1.34"
              remoteNodeNetworks: [10.20.0.0/24]
              remotePodNetworks: [10.21.0.0/16]
              cni: cilium

            """,
        _ => """
            apiVersion: provisioner/v1
            kind: Image
            metadata:
              name: my-image
            spec:
              architecture: x86_64
              kernel: linux
              initrd: initrd.gz

            """,
    };
}
