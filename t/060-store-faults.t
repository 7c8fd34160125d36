#!/usr/bin/perl
# A store that cannot be served costs its own locations a 503, and nothing else; mended, it is served again by itself.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

plan skip_all => 'only root has workers of another user' if $> != 0;

my $t = Scim->new(main => 'user www-data;', http => <<'EOH', server => <<'EOS');
    scim_store a %%DIR%%/a size=16m;
    scim_store b %%DIR%%/b size=16m;
EOH
    location /a/ { scim a; }
    location /b/ { scim b; }
    location / { return 204; }
EOS
my ($a, $b) = map "$t->{dir}/$_", qw(a b);

# --- who owns what

is +($t->check)[0], 0, 'nginx -t';
ok !-e $a && !-e $b, 'makes no directory';
$t->start->served('/a/Users')->served('/b/Users');
my ($uid, $gid) = (getpwnam 'www-data')[2, 3];
for ([$a, '0700'], ["$a/data.mdb", '0600'], ["$a/lock.mdb", '0600']) {
    my ($file, $mode) = @$_;
    my @stat = stat $file;
    is sprintf('%04o %d %d', $stat[2] & 07777, @stat[4, 5]), "$mode $uid $gid", "$file is the workers' own";
}

my (%token, %id);
for ('a', 'b') {
    local $t->{store} = "$t->{dir}/$_";
    $token{$_} = $t->token($t->tenant('acme'));
    $id{$_} = $t->request(POST => "/$_/Users", token => $token{$_}, json => Scim::user("ada$_"))->{json}{id};
    ok $id{$_}, "a user in store $_";
}
$t->{store} = $b;

sub get { return $t->request(GET => "/$_[0]/Users/$id{$_[0]}", token => $token{ $_[0] }) }
sub create { return $t->request(POST => "/$_[0]/Users", token => $token{ $_[0] }, json => Scim::user($_[1])) }

sub is_503 {
    my ($r, $name) = @_;
    ok $r->{status} == 503 && ($r->{json}{status} // '') eq '503' && ($r->{headers}{'retry-after'} // 0) > 0
        && length $r->{json}{detail} && index($r->{body}, $t->{dir}) < 0, $name or diag "$r->{status} ", $r->{body};
}

# --- faults

# Breaks store b, has other workers meet it, and mends it.
sub fault {
    my ($name, $log, $break, $mend, %o) = @_;
    my ($seen, $n) = (length $t->log, ++$id{n});
    $break->();
    $o{kill} ? $t->kill_worker($t->workers) : $t->reload(gone => 1);
    is_503 get('b'), "$name: its reads are 503";
    is_503 create('b', "lost$n"), "$name: its writes are 503";
    is get('a')->{status}, 200, "$name: the other store is read";
    is create('a', "kept$n")->{status}, 201, "$name: and written";
    is $t->request(GET => '/')->{status}, 204, "$name: the rest of the server serves";
    like substr($t->log, $seen), $log, "$name: the log says why";
    my @workers = $t->workers;
    $mend->();
    ok $t->wait_for(sub { get('b')->{status} == 200 }, 10), "$name: mended, it is served again";
    is create('b', "again$n")->{status}, 201, "$name: and written";
    is "@{[$t->workers]}", "@workers", "$name: by the same worker";
    my @said = substr($t->log, $seen) =~ /\[error\] .*its locations answer 503/g;
    is scalar @said, 1, "$name: the log has said it once";
}

my $own = sub { chown $uid, $gid, @_ or die $! };
my $of_root = qr/\[error\].*"\Q$b\E": the user \S+ cannot read and write "\Q$b\E[^"]*", which belongs to root:root with mode 0\d{3}; run: chown /;
fault 'a directory of another user', $of_root, sub { chown 0, 0, $b or die $! }, sub { $own->($b) };
fault 'a file of another user', $of_root, sub { chown 0, 0, "$b/data.mdb" or die $! },
    sub { $own->("$b/data.mdb") };
fault 'a locked file of another user', $of_root, sub { chown 0, 0, "$b/lock.mdb" or die $! },
    sub { $own->("$b/lock.mdb") };
fault 'a directory that is gone', qr/\[error\].*"\Q$b\E": No such file/, sub { rename $b, "$b.away" or die $! },
    sub { rename "$b.away", $b or die $! }, kill => 1;
fault 'a file that is no database', qr/\[error\].*"\Q$b\E": .*/, sub {
    rename "$b/data.mdb", "$b/away" or die $!;
    $own->($t->write_file('b/data.mdb', 'not LMDB ' x 2000));
}, sub { rename "$b/away", "$b/data.mdb" or die $! };
fault 'a file that is cut off', qr/\[error\].*"\Q$b\E".*(?:damaged|catalog)/, sub {
    rename "$b/data.mdb", "$b/away" or die $!;
    $own->($t->write_file('b/data.mdb', do { open my $f, '<:raw', "$b/away"; local $/ = \20000; <$f> }));
}, sub { rename "$b/away", "$b/data.mdb" or die $! };
fault 'a newer format', qr/\[error\].*"\Q$b\E" has format 1, which needs a version that knows format 99/,
    sub { is +($t->poke(qw(meta min_reader 99)))[0], 0, 'min_reader is raised' }, sub { $t->poke(qw(meta min_reader 1)) };
fault 'a format that is no number', qr/\[error\].*"\Q$b\E".*damaged/,
    sub { $t->poke(qw(meta min_reader x)) }, sub { $t->poke(qw(meta min_reader 1)) };

# --- a newer format that may be read

$t->poke(qw(meta min_writer 99));
$t->reload(gone => 1);
is get('b')->{status}, 200, 'a format that may be read only: reads are served';
my $r = create('b', 'readonly');
is_503 $r, 'its writes are 503';
like $r->{json}{detail}, qr/read-only/, 'and say so';
like $t->log, qr/\[warn\].*"\Q$b\E" has format 1, which needs .* format 99.*read-only/, 'the log says so';
is create('a', 'writer')->{status}, 201, 'the other store is written';
is +($t->poke(qw(meta write_format)))[1], "1\n", 'the store has not been touched';
$t->poke(qw(meta min_writer 1));
$t->reload(gone => 1);
is create('b', 'readonly')->{status}, 201, 'after its upgrade it is written again';

# --- a file that is replaced while nginx runs

push @{ $t->{expect_log} }, qr/must be reopened: its (?:data|lock)\.mdb was (?:replaced|removed)/, qr/is gone: its data\.mdb/;
sub found { return ($t->scimctl('find', '--tenant', 'acme', qq(userName eq "$_[0]"), '--json'))[1] =~ /\Q$_[0]\E/ }
rename "$b/data.mdb", "$b/away" or die $!;
{ open my $from, '<:raw', "$b/away"; local $/; $own->($t->write_file('b/data.mdb', <$from>)) }
$r = create('b', 'for-nobody');
ok $t->wait_for(sub { create('b', 'for-somebody')->{status} == 201 }), 'a data.mdb that was replaced is served by itself';
like $t->log, qr/\[crit\].*"\Q$b\E" must be reopened: its data.mdb was replaced/, 'the log says so';
ok found('for-somebody'), 'it has what was acknowledged';
ok $r->{status} == 201 ? found('for-nobody') : $r->{status} == 503, 'nothing was acknowledged that is in a file that is gone';
unlink "$b/away";

# --- files that are taken away while nginx runs

my @same = $t->workers;
unlink "$b/lock.mdb" or die $!;
ok $t->wait_for(sub { get('b'); -e "$b/lock.mdb" }), 'lock.mdb removed: reads alone find out';
like $t->log, qr/\[crit\].*"\Q$b\E" must be reopened: its lock.mdb was removed/, 'the log says so';
ok $t->wait_for(sub { create('b', 'new-lock')->{status} == 201 }), 'it is made anew, and the store is written';
is "@{[$t->workers]}", "@same", 'by the same worker';
is +($t->scimctl('verify'))[0], 0, 'it is whole';

rename "$b/data.mdb", "$t->{dir}/away" or die $!;
ok $t->wait_for(sub { get('b')->{status} == 503 }), 'data.mdb removed: reads alone find out, and are 503';
is_503 create('b', 'nowhere'), 'writes are 503';
$t->kill_worker($t->workers);
is_503 get('b'), 'as they are by a worker that is started again';
$t->reload(gone => 1);
is_503 get('b'), 'and after a reload';
my ($status, undef, $error) = $t->scimctl('tenant', 'add', 'other');
is $status, 3, 'scimctl makes no store, either';
like $error, qr/is gone: its data\.mdb was removed; .* to begin with an empty store remove lock\.mdb/, 'and says why';
ok !-e "$b/data.mdb", 'nobody has made an empty one';
$own->($t->write_file('b/data.mdb', ''));
$t->kill_worker($t->workers);
is_503 get('b'), 'an empty file is no store';
ok -z "$b/data.mdb", 'and is left empty';
rename "$t->{dir}/away", "$b/data.mdb" or die $!;
ok $t->wait_for(sub { get('b')->{status} == 200 }, 10), 'put back, it is served again';
ok found('new-lock'), 'with all that was acknowledged';

mkdir "$t->{dir}/both" or die $!;
rename "$b/$_", "$t->{dir}/both/$_" or die $! for qw(data.mdb lock.mdb);
ok $t->wait_for(sub { get('b')->{status} == 503 }), 'data.mdb and lock.mdb removed: reads are 503';
$t->kill_worker($t->workers);
is_503 get('b'), 'a worker that is started again makes no new store';
is_503 create('b', 'nowhere'), 'and writes nothing';
ok !-e "$b/data.mdb", 'there is no data.mdb';
rename "$t->{dir}/both/$_", "$b/$_" or die $! for qw(data.mdb lock.mdb);
ok $t->wait_for(sub { get('b')->{status} == 200 }, 10), 'both files put back, the store is served again';
ok found('new-lock'), 'it has what was acknowledged';

fault 'a FIFO as data.mdb', qr/\[error\].*"\Q$b\E\/data\.mdb" is not a regular file/, sub {
    rename "$b/data.mdb", "$t->{dir}/away" or die $!;
    require POSIX;
    POSIX::mkfifo("$b/data.mdb", 0600) or die $!;
    $own->("$b/data.mdb");
}, sub { rename "$t->{dir}/away", "$b/data.mdb" or die $! };

# --- a start with a broken store

$t->quit;
chown 0, 0, $b or die $!;
$t->start;
is_503 get('b'), 'a start beside a broken store: 503';
is get('a')->{status}, 200, 'the other store is served';
$own->($b);
ok $t->wait_for(sub { get('b')->{status} == 200 }, 10), 'and so is this one when it is mended';

$t->finish;
