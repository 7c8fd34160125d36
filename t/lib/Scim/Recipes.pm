package Scim::Recipes;

# The commands in the documentation, and a Debian machine to run them on.
#
# The machine is the host seen through overlays in namespaces of its own: changes below /etc, /usr and /var are discarded at
# the end, no process remains, and its loopback has all ports free. nginx is Debian's package with its configuration.

use strict;
use warnings;
use Cwd ();
use FindBin;

our $repo = Cwd::abs_path("$FindBin::Bin/..");

# The fenced blocks of a page in this language, in order: { page, line, text }. The indentation of a block in a list is
# removed.
sub blocks {
    my ($page, $language) = @_;
    open my $f, '<', "$repo/$page" or die "$page: $!";
    my (@blocks, $block, $indent);
    while (my $line = <$f>) {
        if ($block && $line =~ /^\s*```\s*$/) {
            push @blocks, $block if $block->{language} eq $language;
            undef $block;
        } elsif ($block) {
            $line =~ s/^$indent//;
            $block->{text} .= $line;
        } elsif ($line =~ /^(\s*)```(\w*)\s*$/) {
            $indent = $1;
            $block = { language => $2, line => $. + 1, text => '', page => $page };
        }
    }
    $block and die "$page:$block->{line}: this block has no end";
    return @blocks;
}

# The commands in the comment at the top of an example, as one block.
sub header {
    my ($file) = @_;
    open my $f, '<', "$repo/$file" or die "$file: $!";
    my $text = '';
    while (<$f>) {
        last if !/^#/;
        $text .= "$1\n" if /^#\s{5}(\S.*)/;
    }
    return { page => $file, line => 1, text => "cd /usr/share/nginx-scim/examples\n$text" };
}

my @unshare = qw(unshare -m -n -p -f --mount-proc --kill-child);

# The reason why namespaces or overlays are not available; empty if they are.
sub impossible {
    return 'namespaces need root' if $> != 0;
    my $said = `@unshare sh -c 'mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w &&
        mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w /etc' 2>&1`;
    return $? ? "no overlay in a mount namespace: $said" : '';
}

my $prelude = <<'SH';
set -eu
mount -t tmpfs tmpfs /mnt
for d in etc usr var; do
    mkdir -p "/mnt/$d/upper" "/mnt/$d/work"
    mount -t overlay overlay -o "lowerdir=/$d,upperdir=/mnt/$d/upper,workdir=/mnt/$d/work" "/$d"
done
mount -t tmpfs tmpfs /run
perl -MSocket -e 'socket my $s, AF_INET, SOCK_DGRAM, 0; my $up = pack "a16sx14", "lo", 0x41; ioctl $s, 0x8914, $up or die "lo: $!"'
echo '127.0.0.1 localhost id.example.com acme.scim.example.com' >/etc/hosts
: >/var/log/nginx/error.log
rm -rf /var/lib/nginx/* /etc/nginx/modules-enabled/* /etc/nginx/conf.d/*
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export NO_DEPS=1    # the packages are installed
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES SCIM_STORE NGINX_BINARY

# sudo as Debian configures it: it does not pass the caller's environment on.
cat >/usr/local/bin/sudo <<'END'
#!/bin/sh
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb NO_DEPS=1 "$@"
END
# apt install: only checks that the packages are installed, as the tests need them too.
cat >/usr/local/bin/apt <<'END'
#!/bin/sh
shift
for package; do dpkg-query -W -f '${db:Status-Status}' "$package" | grep -qx installed || exit 1; done
END
# The commands of nginx.service, without systemd.
cat >/usr/local/bin/systemctl <<'END'
#!/bin/bash
set -e
[ "$2" = nginx ]
unit() { sed -n "s/^$1=-\?//p" /lib/systemd/system/nginx.service; }
case $1 in
    start) eval "$(unit ExecStartPre)"; eval "$(unit ExecStart)" ;;
    stop) eval "$(unit ExecStop)" ;;
    reload) eval "$(unit ExecReload)" ;;
    restart) "$0" stop nginx || true; "$0" start nginx ;;
    *) exit 1 ;;
esac
END
chmod +x /usr/local/bin/sudo /usr/local/bin/apt /usr/local/bin/systemctl

# answers URL [CURL ARGUMENTS]: repeats the request until there is an answer other than 503, and prints status and body
answers() {
    local n said
    for n in $(seq 600); do
        said=$(curl -s -m 10 -w '\n%{http_code}' "$@") || true
        case ${said##*$'\n'} in 503 | 000) perl -e 'select undef, undef, undef, 0.1' ;; *) break ;; esac
    done
    echo "${said##*$'\n'} ${said%$'\n'*}"
}
certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=id.example.com -addext subjectAltName=DNS:id.example.com -days 2 \
        -keyout /etc/nginx/id.example.com.key -out /etc/nginx/id.example.com.pem 2>/dev/null
    export CURL_CA_BUNDLE=/etc/nginx/id.example.com.pem
}
SH

# Runs blocks, or shell commands of the test, on a new machine, one after the other in one shell. {said} has the output of
# each; {failed} says which one failed and how, empty if none did.
sub machine {
    my ($t, @steps) = @_;
    my ($script, $n) = ($prelude, 0);
    for my $step (@steps) {
        $script .= "echo; echo '\@\@step " . $n++ . "'\ncd $repo\n" . (ref $step ? $step->{text} : $step) . "\n";
    }
    $t->write_file('recipe.sh', "$script\necho; echo '\@\@end'\n");
    my ($exit, $out) = $t->run('', @unshare, 'bash', '-c', "exec 2>&1; . $t->{dir}/recipe.sh");
    my ($before, @said) = split /^\@\@(?:step \d+|end)\n/m, $out;
    s/\n\z// for @said;
    return { said => \@said, failed => '' } if !$exit;
    my $step = @said ? $steps[$#said] : '';
    my $where = ref $step ? "$step->{page}:$step->{line}" : @said ? "step $#said, '$step'" : 'the machine';
    return { said => \@said, failed => "$where ended with status $exit:\n" . (@said ? $said[-1] : $before) };
}

1;
