package Scim::Examples;

# Starts nginx with files of conf-examples/. Only what depends on the machine is changed: paths, and addresses, which become
# %%PORT1%%, … in order (from %%PORT%% in a whole configuration).

use strict;
use warnings;
use FindBin;
use Test::More ();
use Scim;

our $dir = "$FindBin::Bin/../conf-examples";

# The files of conf-examples/ or of a directory below it.
sub names {
    my ($below) = @_;
    my $in = join '/', $dir, $below // ();
    opendir my $d, $in or die "$in: $!";
    return sort grep -f "$in/$_", readdir $d;
}

sub slurp { open my $f, '<', "$dir/$_[0]" or die "$_[0]: $!"; local $/; return scalar <$f> }

# Starts nginx with the text of an example, beside copies of all examples. The options are those of Scim->new, and:
# files   called with the directory, to make what the example needs
# seed    a tenant to add before nginx starts
# Returns ($t, { '127.0.0.1:8080' => n of %%PORTn%%, … }, token of the seeded tenant).
sub start {
    my ($text, %part) = @_;
    my ($files, $seed) = delete @part{qw(files seed)};
    my $t = Scim->new(%part);
    $t->write_file($_, slurp($_)) for names();
    $t->write_file($_, slurp("include/$_")) for names('include');
    $t->write_file($_, slurp("schemas/$_")) for names('schemas');
    $files->($t->{dir}) if $files;
    my $n = $text =~ /^http \{/m ? 0 : 1;
    $text =~ s/^(?:load_module|user) .*$//mg;
    $text =~ s{/var/lib/nginx/scim}{$t->{dir}/store}g;
    $text =~ s{/var/log/nginx|/etc/nginx/scim|/etc/nginx}{$t->{dir}}g;
    $text =~ s/^( *listen [^;]*) http2;/$1 %%HTTP2%%;/mg;    # a comment in the file names the form for newer versions of nginx
    my %port;
    $text =~ s/((?<=listen )443|127\.0\.0\.1:\d+)/'127.0.0.1:%%PORT' . ($port{$1} \/\/= $n++) . '%%'/ge;
    $text =~ s/^http \{/http { %%HTTP%%/m ? $t->conf("%%MAIN%%\n$text") : $t->conf(undef, http => $text);
    my $token = $seed && $t->seed($seed);
    my ($exit, $said) = $t->check;
    Test::More::ok($exit == 0 && $said !~ /\[(?:warn|emerg)\]/, 'nginx -t accepts the example') or Test::More::diag($said);
    return ($t->start, \%port, $token);
}

# Makes the certificate that the examples name.
sub certificate {
    my ($to) = @_;
    my $subject = '-subj /CN=id.example.com -addext subjectAltName=DNS:id.example.com,DNS:app.example.com';
    my $made = qx(openssl req -x509 -newkey rsa:2048 -nodes $subject -days 2 -keyout $to/id.example.com.key -out $to/id.example.com.pem 2>&1);
    $? == 0 or die $made;
    return;
}

1;
