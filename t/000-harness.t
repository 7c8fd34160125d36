#!/usr/bin/perl
# The harness drives nginx as described in Scim.pm, and finish() fails for every kind of fault: each one is provoked in a
# child perl whose TAP is read here.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use Test::More;
use Scim;

# --- finish() fails

# Runs a test script in a child perl: (exit code, its TAP and stderr).
sub play {
    my ($script) = @_;
    my $file = File::Temp->new(SUFFIX => '.pl');
    print $file "use strict; use warnings; use Test::More; use Scim;\n", $script;
    close $file;
    my $tap = qx($^X -I$FindBin::Bin/lib $file 2>&1);
    return ($? >> 8, $tap);
}

my $start = q[my $t = Scim->new(server => 'location / { return 204; }', @ARGV)->start;];

sub fails {
    my ($name, $why, $script) = @_;
    my ($exit, $tap) = play("$start $script");
    ok $exit && $tap =~ /^not ok \d+ - \Q$why\E/m, "finish() fails: $name" or diag "exit $exit\n$tap";
}

sub passes {
    my ($name, $script) = @_;
    my ($exit, $tap) = play($script);
    ok !$exit && $tap =~ /^ok \d+ - no alert/m && $tap !~ /^not ok/m, "finish() passes: $name" or diag "exit $exit\n$tap";
}

my $unclean = 'no alert, no crash, no sanitizer report';

sub appends { return "open my \$f, '>>', \"\$t->{dir}/$_[0]\" or die; print \$f qq{$_[1]\\n}; close \$f; \$t->finish;" }

passes 'no fault', "$start \$t->finish;";
fails "[$_] in the error log", $unclean, appends('error.log', "2026/11/21 10:00:00 [$_] 1#1: something")
    for qw(alert crit emerg);
fails 'an ASan report in the error log', $unclean, appends('error.log', '==1==ERROR: AddressSanitizer: heap-use-after-free');
fails 'a UBSan report on stderr', $unclean, appends('stderr', 'x.cc:1:1: runtime error: signed integer overflow');
fails 'a sanitizer report in a file', $unclean, appends('san/report.1', 'ERROR: LeakSanitizer: detected memory leaks');
fails 'a worker with exit code 1', $unclean, appends('error.log', '[notice] 1#1: worker process 2 exited with code 1');
fails 'a worker whose end is not in the error log', $unclean, appends('error.log',
    '[notice] 1#1: start worker process 99999999');
fails 'a worker that crashed', $unclean, q{
    my ($worker) = $t->workers;
    kill ABRT => $worker;    # ASan would handle SEGV
    $t->wait_log(qr/exited on signal 6/);
    $t->finish;};
fails 'a master that was killed', 'nginx ended when it was asked to', q{
    my ($master, @workers) = ($t->{pid}, $t->workers);
    kill KILL => $master, @workers;
    $t->wait_for(sub { !$t->workers });
    $t->finish;};
fails 'a master that hangs', 'nginx ended when it was asked to', q{
    $Scim::deadline = 1;
    kill STOP => $t->{pid};
    $t->finish;};

passes 'a [crit] in expect_log', q[
    my $t = Scim->new(server => 'location / { return 204; }', expect_log => [qr/the disk is full/])->start;]
    . appends('error.log', '[crit] 1#1: the disk is full');

my ($exit, $tap) = play(q{Scim->new(server => 'no_such_directive on;')->start; done_testing;});
ok $exit && $tap =~ /no_such_directive/, 'start() dies with the message of nginx if nginx does not start' or diag $tap;

($exit, $tap) = play("$start print \"# pids \$t->{pid} \", join(' ', \$t->workers), \"\\n\"; die 'half way';");
my @pids = $tap =~ /^# pids (.*)/m ? split ' ', $1 : ();
is @pids, 2, 'a test that dies had a master and a worker';
ok !grep(!Scim->_gone($_), @pids), 'a test that dies leaves neither master nor worker';

# --- the harness itself

my $t = Scim->new(workers => 2, http => <<'EOC', server => <<'EOS');
    server {
        listen 127.0.0.1:%%PORT1%% ssl;
        ssl_certificate %%DIR%%/cert.pem;
        ssl_certificate_key %%DIR%%/key.pem;
        location / { return 200 tls; }
    }
EOC
    root %%DIR%%;
    client_max_body_size 1m;
    location /files/ { dav_methods PUT DELETE; create_full_put_path on; client_body_in_file_only off; }
    location /json { default_type application/scim+json; return 200 '{"a":[1,true]}'; }
    location /hang { return 444; }
    location /pid { return 200 $pid; }
EOS
is +($t->run('', qw(openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2), '-keyout', "$t->{dir}/key.pem",
    '-out', "$t->{dir}/cert.pem"))[0], 0, 'openssl makes a certificate';
is +($t->check)[0], 0, 'check() returns the exit code of nginx -t';
$t->start;
is scalar $t->workers, 2, 'start() starts the configured number of workers';

my $r = $t->request(GET => '/json');
is $r->{status}, 200, 'request() returns the status';
is $r->{headers}{'content-type'}, 'application/scim+json', 'request() returns the headers';
is_deeply $r->{json}, { a => [1, JSON::PP::true] }, 'request() returns the decoded JSON';
is $t->request(GET => '/pid', tls => 1, port => 1)->{body}, 'tls', 'request() uses TLS with tls => 1';

my $client = $t->client;
$r = $client->request(HEAD => '/json');
is "$r->{status} '$r->{body}' $r->{headers}{'content-length'}", "200 '' 14", 'request() reads no body after HEAD';
my $socket = $client->{socket};
my $big = join '', map { chr 97 + $_ % 26 } 0 .. 299_999;
is $client->request(PUT => '/files/a', body => $big, chunked => 1000)->{status}, 201, 'request() sends a body in chunks';
is $client->request(GET => '/files/a')->{body}, $big, 'request() returns a body of 300 KB';
is $client->{socket}, $socket, 'a client keeps its connection';
is $client->request(PUT => '/files/b', json => { b => 'ü' })->{status}, 201, 'request() sends JSON';
is $t->request(GET => '/files/b')->{body}, qq({"b":"\xc3\x83\xc2\xbc"}), 'JSON is sent as UTF-8';

$r = $t->request(PUT => '/files/c', body => 'c', expect => 1);
is "$r->{status} $r->{continued}", '201 1', 'request() with expect => 1 sends the body after 100';
$r = $t->request(PUT => '/files/c', body => 'x' x 2_000_000, expect => 1);
is "$r->{status} $r->{continued}", '413 0', 'request() with expect => 1 returns a final answer without 100';
is $t->request(PUT => '/files/c', body => 'x' x 2_000_000)->{status}, 413,
    'request() returns an answer that comes while the body is sent';

is join(' ', map $_->{status}, $client->pipeline(map [GET => $_ % 2 ? '/json' : '/none'], 1 .. 40)),
    join(' ', (200, 404) x 20), 'pipeline() returns the answers in order';
$r = $t->request(GET => '/hang');
is "$r->{status} $r->{error}", '0 closed', 'request() returns status 0 if there is no answer';

my @results = $t->concurrently(4, 200, sub {
    my ($i, $client) = @_;
    my $r = $client->request(GET => $i % 2 ? '/pid' : '/json');
    return { i => $i, status => $r->{status} };
});
is_deeply \@results, [map +{ i => $_, status => 200 }, 0 .. 199],
    'concurrently() returns the results of several processes in order';

# --- processes

my %old = map { $_ => 1 } $t->workers;
ok $t->reload(gone => 1), 'reload() returns true when new workers have taken over';
ok !grep($old{$_}, $t->workers), 'reload() replaces every worker';
is $client->request(GET => '/json')->{status}, 200, 'a client opens another connection after its first one was closed';

my ($victim) = $t->workers;
my $heir = $t->kill_worker($victim);
ok $heir != $victim && kill(0, $heir), 'kill_worker() returns the worker that replaces the killed one';

my $master = $t->{pid};
$t->upgrade;
isnt $t->{pid}, $master, 'upgrade() starts another master';
ok $t->_gone($master), 'upgrade() ends the old master';
is $t->request(GET => '/json')->{status}, 200, 'nginx serves requests after upgrade()';

$t->conf(undef, workers => 1);
ok $t->reload(gone => 1), 'reload() returns true with another configuration';
is scalar $t->workers, 1, 'reload() applies another configuration';

$t->{expect_log} = [qr/no_such_directive/];
$t->conf(undef, server => 'no_such_directive on;');
ok !$t->reload, 'reload() returns false if nginx refuses the configuration';
is scalar $t->workers, 1, 'workers stay after a refused configuration';

$t->finish;
